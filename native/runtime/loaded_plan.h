// A plan on a device: its prepared steps, its constants, and the staging slots of its inputs.
#pragma once
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "device.h"
#include "plan.h"

namespace pollux {

/// Results of at most this many bytes come back with the completion message and own no device memory.
constexpr uint64_t small_result_bytes = 4096;

constexpr uint64_t round_up_64(uint64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

/// Where the host data of one run lies while it is queued and run, outside the arena. Memory is made on first use.
struct StagingSlot {
  std::atomic<bool> busy{false};
  std::vector<void*> device;                     ///< for each binding
  std::vector<std::unique_ptr<uint8_t[]>> host;  ///< for each binding, where the host cannot write device memory
};

class LoadedPlan {
 public:
  static constexpr int slot_count = 2;

  LoadedPlan(Device* device, std::unique_ptr<Plan> plan);
  ~LoadedPlan();
  LoadedPlan(const LoadedPlan&) = delete;
  LoadedPlan& operator=(const LoadedPlan&) = delete;

  Device* device() const { return device_; }
  const Plan& plan() const { return *plan_; }

  // For the client's thread.

  /// A free slot, now busy, or null if two runs are queued already. ~RunJob frees it.
  StagingSlot* take_slot();
  /// Device memory of the slot for a binding; null when there is none left.
  void* slot_memory(StagingSlot* slot, size_t binding);
  /// Host memory of the slot for a binding, where the device's own cannot be written.
  uint8_t* slot_host(StagingSlot* slot, size_t binding);
  uint64_t staged_bytes() const { return staged_bytes_; }
  /// Waits until prepare() has been tried once, and returns the scratch bytes of the largest step.
  uint64_t wait_for_scratch();

  // For jobs.

  /// Prepares what is not prepared yet, and all anew if the pool has grown: scratch follows the number of threads.
  /// False with an ErrorCode and a message; a later call tries again.
  bool prepare(const char** code, std::string* message);
  /// Bytes that a run takes of the device's arena: the status word, the plan's arena, scratch, small results.
  uint64_t need() const { return small_offset_ + small_bytes_; }
  uint64_t scratch_offset() const { return scratch_offset_; }
  /// Offset of a small result within the run's arena.
  uint64_t small_offset(size_t result) const { return small_offset_ + small_offsets_[result]; }
  const std::vector<PolluxPrepared*>& prepared() const { return prepared_; }
  void* constants() const { return constants_; }
  static constexpr uint64_t arena_offset = 64;  // the status word comes first

 private:
  bool prepare_steps(const char** code, std::string* message);
  void discard_steps();
  bool upload_constants(const char** code, std::string* message);

  Device* const device_;
  std::unique_ptr<Plan> plan_;
  StagingSlot slots_[slot_count];
  std::atomic<uint64_t> staged_bytes_{0};
  std::vector<PolluxPrepared*> prepared_;
  void* constants_ = nullptr;
  std::atomic<uint64_t> scratch_bytes_{0};
  uint64_t scratch_offset_ = 0;
  uint64_t small_offset_ = 0;
  uint64_t small_bytes_ = 0;
  std::vector<uint64_t> small_offsets_;
  uint64_t known_need_ = 0;  // to the device
  bool ready_ = false;
  int32_t threads_ = 0;  // of the pool when the steps were prepared

  std::mutex mutex_;
  std::condition_variable tried_;
  bool was_tried_ = false;
};

/// Prepares a plan ahead of its first run, so that the first run need not.
class PrepareJob : public Job {
 public:
  explicit PrepareJob(std::shared_ptr<LoadedPlan> plan) : plan_(std::move(plan)) {}
  void execute(bool nested) override;

 private:
  std::shared_ptr<LoadedPlan> plan_;
};

}  // namespace pollux
