#include "loaded_plan.h"

#include <new>

#include "worker_pool.h"

namespace pollux {
namespace {

/// Gives back what only the device's own thread may give back.
class DiscardJob : public Job {
 public:
  DiscardJob(Device* device, std::unique_ptr<Plan> plan, std::vector<PolluxPrepared*> prepared, uint64_t need)
      : device_(device), plan_(std::move(plan)), prepared_(std::move(prepared)), need_(need) {}

  void execute(bool) override {
    for (PolluxPrepared* step : prepared_)
      if (step) device_->backend().discard(device_->handle(), step);
    if (need_) device_->remove_need(need_);
  }

 private:
  Device* device_;
  std::unique_ptr<Plan> plan_;  // prepared steps point into it
  std::vector<PolluxPrepared*> prepared_;
  uint64_t need_;
};

}  // namespace

LoadedPlan::LoadedPlan(Device* device, std::unique_ptr<Plan> plan) : device_(device), plan_(std::move(plan)) {
  for (StagingSlot& slot : slots_) {
    slot.device.resize(plan_->bindings().size());
    slot.host.resize(plan_->bindings().size());
  }
}

LoadedPlan::~LoadedPlan() {
  for (StagingSlot& slot : slots_)
    for (size_t i = 0; i < slot.device.size(); ++i) device_->release(slot.device[i], plan_->bindings()[i].bytes);
  if (constants_) device_->release(constants_, plan_->constant_bytes());
  device_->executor().submit(
      std::make_unique<DiscardJob>(device_, std::move(plan_), std::move(prepared_), known_need_));
}

StagingSlot* LoadedPlan::take_slot() {
  for (StagingSlot& slot : slots_)
    if (!slot.busy.exchange(true, std::memory_order_acquire)) return &slot;
  return nullptr;
}

void* LoadedPlan::slot_memory(StagingSlot* slot, size_t binding) {
  void*& memory = slot->device[binding];
  if (!memory) {
    const uint64_t bytes = plan_->bindings()[binding].bytes;
    memory = device_->allocate(bytes);
    if (memory) staged_bytes_ += bytes;
  }
  return memory;
}

uint8_t* LoadedPlan::slot_host(StagingSlot* slot, size_t binding) {
  auto& memory = slot->host[binding];
  if (!memory) memory.reset(new (std::nothrow) uint8_t[plan_->bindings()[binding].bytes + 1]);
  return memory.get();
}

bool LoadedPlan::prepare_steps(const char** code, std::string* message) {
  const PolluxBackend& backend = device_->backend();
  for (size_t i = prepared_.size(); i < plan_->steps().size(); ++i) {
    const PolluxStep& step = plan_->steps()[i].step;
    if (plan_->steps()[i].loop != wire::no_index) {
      prepared_.push_back(nullptr);
      continue;
    }
    PolluxPrepared* prepared = nullptr;
    uint64_t scratch = 0;
    char text[512] = "";
    const PolluxResult result = backend.prepare(device_->handle(), &step, &prepared, &scratch, text, sizeof text);
    if (result != POLLUX_SUCCESS) {
      *code = result == POLLUX_OUT_OF_MEMORY ? "OUT_OF_MEMORY"
              : result == POLLUX_UNSUPPORTED ? "UNSUPPORTED"
                                             : "INTERNAL";
      *message = "Step " + std::to_string(i) + " (" + step.kernel + ", " + step.label + ") could not be prepared on " +
                 device_->name() + ": " + text + ".";
      return false;
    }
    prepared_.push_back(prepared);
    scratch_bytes_ = std::max(scratch_bytes_.load(), round_up_64(scratch));
  }
  return true;
}

void LoadedPlan::discard_steps() {
  for (PolluxPrepared* step : prepared_)
    if (step) device_->backend().discard(device_->handle(), step);
  prepared_.clear();
}

bool LoadedPlan::upload_constants(const char** code, std::string* message) {
  const uint64_t bytes = plan_->constant_bytes();
  if (bytes == 0 || constants_) return true;
  void* memory = device_->allocate(bytes);
  if (!memory) {
    *code = "OUT_OF_MEMORY";
    *message = "No memory for " + std::to_string(bytes) + " bytes of constants on " + device_->name() + ".";
    return false;
  }
  *code = "INTERNAL";
  const bool queued =
      device_->backend().upload(device_->handle(), memory, plan_->constants().data(), bytes) == POLLUX_SUCCESS;
  if (!device_->synchronize(message) || !queued) {
    device_->release(memory, bytes);
    if (message->empty()) *message = "The constants could not be copied to " + device_->name() + ".";
    return false;
  }
  constants_ = memory;
  plan_->drop_constants();
  return true;
}

bool LoadedPlan::prepare(const char** code, std::string* message) {
  const int32_t threads = worker_pool().threads();
  if (ready_ && threads <= threads_) return true;
  if (ready_) discard_steps();
  ready_ = false;
  threads_ = threads;
  const bool done = prepare_steps(code, message) && upload_constants(code, message);
  if (done) {
    scratch_offset_ = arena_offset + round_up_64(plan_->arena_bytes());
    small_offset_ = scratch_offset_ + scratch_bytes_;
    small_offsets_.clear();
    small_bytes_ = 0;
    for (const uint64_t bytes : plan_->results()) {
      small_offsets_.push_back(small_bytes_);
      if (bytes <= small_result_bytes) small_bytes_ += round_up_64(bytes);
    }
    device_->add_need(need());
    if (known_need_) device_->remove_need(known_need_);  // the smaller of the two: no arena in use is let go
    known_need_ = need();
    ready_ = true;
  }
  {
    const std::lock_guard lock(mutex_);
    was_tried_ = true;
  }
  tried_.notify_all();
  return done;
}

uint64_t LoadedPlan::wait_for_scratch() {
  std::unique_lock lock(mutex_);
  tried_.wait(lock, [&] { return was_tried_; });
  return scratch_bytes_;
}

void PrepareJob::execute(bool) {
  const char* code;
  std::string message;
  plan_->prepare(&code, &message);  // a failure is told by the first run, which tries again
}

}  // namespace pollux
