// A device of one backend as the process shares it: its memory, its arenas, its executor.
#pragma once
#include <atomic>
#include <memory>
#include <set>
#include <string>

#include "../backend.h"
#include "executor.h"

namespace pollux {

/// Memory that grows to the largest need and is reused by run after run. Only its device's current job touches it.
struct Arena {
  void* memory = nullptr;
  uint64_t bytes = 0;
};

class Device {
 public:
  /// The device of a name such as "cpu" or "cuda:1", with its library in `folder`. One per name for the process, never
  /// destroyed. Null with the reason and the remedy in `error`.
  static Device* open(const std::string& folder, const std::string& name, std::string* error);
  /// Calls f(device) for each open device.
  template <typename F>
  static void for_each(const F& f) {
    for (Device* device : opened()) f(*device);
  }

  const std::string& name() const { return name_; }
  const PolluxBackend& backend() const { return *backend_; }
  PolluxDevice* handle() const { return handle_; }
  const PolluxDescription& description() const { return *backend_->describe(handle_); }
  bool host_memory() const { return host_memory_; }
  Executor& executor() { return executor_; }
  bool has_kernel(const char* kernel) const;

  /// Counted memory, aligned to 64 bytes, of at least one byte; null when there is none left. Any thread.
  void* allocate(uint64_t bytes);
  void release(void* memory, uint64_t bytes);

  uint64_t live_bytes() const { return live_.load(std::memory_order_relaxed); }
  uint64_t peak_bytes() const { return peak_.load(std::memory_order_relaxed); }
  uint64_t arena_bytes() const { return arena_total_.load(std::memory_order_relaxed); }
  uint64_t packed_bytes() const { return backend_->packed_bytes ? backend_->packed_bytes(handle_) : 0; }

  // For jobs, on the thread that runs them.

  /// An arena of at least `bytes`; null when there is no memory. Runs nested between the steps of another have their
  /// own.
  void* arena(uint64_t bytes, bool nested);
  /// The arena is as large as the largest live plan needs, and shrinks when that plan goes.
  void add_need(uint64_t bytes) { needs_.insert(bytes); }
  void remove_need(uint64_t bytes);
  /// Waits for queued work; a failure of the device becomes `error`.
  bool synchronize(std::string* error);

 private:
  Device(std::string name, const PolluxBackend* backend, PolluxDevice* handle);
  static std::vector<Device*> opened();
  void resize(Arena* arena, uint64_t bytes);

  const std::string name_;
  const PolluxBackend* const backend_;
  PolluxDevice* const handle_;
  const bool host_memory_;
  Executor executor_;
  std::atomic<uint64_t> live_{0};
  std::atomic<uint64_t> peak_{0};
  std::atomic<uint64_t> arena_total_{0};
  Arena arenas_[2];
  std::multiset<uint64_t> needs_;
};

/// Memory on a device, shared by JavaScript handles and by the jobs that use it.
class Buffer {
 public:
  /// Null when the device has no memory left. The contents are whatever was there.
  static std::shared_ptr<Buffer> allocate(Device* device, uint64_t bytes);
  ~Buffer() { device->release(memory, bytes); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  Device* const device;
  void* const memory;
  const uint64_t bytes;

 private:
  Buffer(Device* on, void* at, uint64_t size) : device(on), memory(at), bytes(size) {}
};

/// Keeps a buffer alive under a number until it is claimed, once, perhaps by another thread.
uint64_t share_buffer(std::shared_ptr<Buffer> buffer);
/// Null for a number that is unknown or was claimed before.
std::shared_ptr<Buffer> claim_buffer(uint64_t id);

}  // namespace pollux
