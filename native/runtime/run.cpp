#include "run.h"

#include <chrono>
#include <cmath>
#include <cstring>

namespace pollux {

struct RunJob::Memory {
  char* arena = nullptr;
  std::vector<void*> bindings;
  std::vector<void*> results;
  std::vector<void*> tensors;
  std::vector<void*> operands;  // of the step that runs
  bool committing = false;
  PolluxStatus* status() const { return reinterpret_cast<PolluxStatus*>(arena); }
};

RunJob::RunJob(std::shared_ptr<LoadedPlan> plan, std::vector<BindingSource> sources, StagingSlot* slot)
    : plan_(std::move(plan)), sources_(std::move(sources)), slot_(slot) {
  for (size_t i = 0; i < sources_.size(); ++i)
    if (sources_[i].buffer)
      accesses.push_back({sources_[i].buffer, plan_->plan().bindings()[i].kind == wire::BindingKind::state});
}

RunJob::~RunJob() {
  if (slot_) slot_->busy.store(false, std::memory_order_release);
}

bool RunJob::is_short() const {
  constexpr double most_microseconds = 500;
  constexpr uint64_t most_arena = uint64_t{16} << 20;
  return plan_->device()->host_memory() && !debug && !profile &&
         plan_->plan().estimated_microseconds() < most_microseconds && plan_->plan().arena_bytes() < most_arena;
}

bool RunJob::fail(const char* code, std::string text) {
  outcome = Outcome::error;
  error = code;
  message = std::move(text);
  results.clear();
  return false;
}

void RunJob::execute(bool nested) {
  if (client && client->group_failed(group)) {
    outcome = Outcome::skipped;
    return;
  }
  if (cancelled->load(std::memory_order_acquire)) {
    outcome = Outcome::aborted;
    return;
  }
  Memory memory;
  if (begin(nested, &memory) && run_steps(0, plan_->plan().steps().size(), nested, &memory) != Flow::broken) {
    finish(&memory);
    return;
  }
  std::string reason;
  plan_->device()->synchronize(&reason);  // nothing may be under way when the job lets go of its memory
  results.clear();
}

/// Finds memory for everything and queues the uploads.
bool RunJob::begin(bool nested, Memory* memory) {
  Device& device = *plan_->device();
  const PolluxBackend& backend = device.backend();
  const Plan& plan = plan_->plan();
  const char* code = nullptr;
  std::string text;
  if (!plan_->prepare(&code, &text)) return fail(code, std::move(text));
  memory->arena = static_cast<char*>(device.arena(plan_->need(), nested));
  if (!memory->arena)
    return fail("OUT_OF_MEMORY", "No memory for an arena of " + std::to_string(plan_->need()) + " bytes on " +
                                     device.name() + ". Use a smaller batch, or dispose what is not needed.");
  for (size_t i = 0; i < plan.results().size(); ++i) {
    const uint64_t bytes = plan.results()[i];
    RunOutput output;
    if (bytes > small_result_bytes) {
      output.buffer = Buffer::allocate(&device, bytes);
      if (!output.buffer)
        return fail("OUT_OF_MEMORY", "No memory for a result of " + std::to_string(bytes) + " bytes on " +
                                         device.name() + ". Use a smaller batch, or dispose what is not needed.");
    }
    memory->results.push_back(output.buffer ? output.buffer->memory : memory->arena + plan_->small_offset(i));
    results.push_back(std::move(output));
  }
  bool queued = backend.fill_zero(device.handle(), memory->status(), sizeof(PolluxStatus)) == POLLUX_SUCCESS;
  for (size_t i = 0; i < sources_.size(); ++i) {
    const BindingSource& source = sources_[i];
    if (source.buffer) {
      memory->bindings.push_back(source.buffer->memory);
      continue;
    }
    void* target = plan_->slot_memory(slot_, i);
    if (!target)
      return fail("OUT_OF_MEMORY", "No memory to stage binding " + std::to_string(i) + " on " + device.name() + ".");
    memory->bindings.push_back(target);
    const void* host = source.staged ? slot_->host[i].get() : source.borrowed;
    if (host)
      queued = queued && backend.upload(device.handle(), target, host, plan.bindings()[i].bytes) == POLLUX_SUCCESS;
  }
  if (!queued) return fail("INTERNAL", "The device '" + device.name() + "' refused an upload.");
  for (const PlanTensor& tensor : plan.tensors()) memory->tensors.push_back(address(tensor, *memory));
  if (profile) step_nanoseconds.resize(plan.steps().size());
  return true;
}

void* RunJob::address(const PlanTensor& tensor, const Memory& memory) const {
  char* base = nullptr;
  switch (tensor.kind) {
    case wire::LocationKind::arena:
      base = memory.arena + LoadedPlan::arena_offset;
      break;
    case wire::LocationKind::binding:
      base = static_cast<char*>(memory.bindings[tensor.index]);
      break;
    case wire::LocationKind::result:
      base = static_cast<char*>(memory.results[tensor.index]);
      break;
    case wire::LocationKind::constant:
      base = static_cast<char*>(plan_->constants());
      break;
    case wire::LocationKind::moving:
      break;  // known in the loop
  }
  return base ? base + tensor.offset : nullptr;  // no constants: only tensors without elements lie there
}

namespace {

/// Puts the tensors of a loop where they lie in iteration `i`.
void move_tensors(const Plan& plan, const PlanLoop& loop, uint64_t i, std::vector<void*>* addresses) {
  for (const PlanMove& move : loop.moves) {
    char* base;
    if (i == 0 && move.first != wire::no_index)
      base = static_cast<char*>((*addresses)[move.first]);
    else
      base = static_cast<char*>((*addresses)[i % 2 ? move.odd : move.even]) + move.start +
             static_cast<int64_t>(i) * move.stride;
    for (const uint32_t tensor : move.tensors) (*addresses)[tensor] = base + plan.tensors()[tensor].offset;
  }
}

}  // namespace

/// Runs the steps from `begin` to `end`, loops as often as they say.
RunJob::Flow RunJob::run_steps(size_t begin, size_t end, bool nested, Memory* memory) {
  const Plan& plan = plan_->plan();
  for (size_t i = begin; i < end; ++i) {
    const uint32_t number = plan.steps()[i].loop;
    if (number == wire::no_index) {
      const Flow flow = run_step(i, nested, memory);
      if (flow != Flow::on) return flow;
      continue;
    }
    const PlanLoop& loop = plan.loops()[number];
    for (uint64_t iteration = 0; iteration < loop.length; ++iteration) {
      move_tensors(plan, loop, iteration, &memory->tensors);
      const Flow flow = run_steps(loop.begin, loop.end, nested, memory);
      if (flow != Flow::on) return flow;
    }
    i = loop.end - 1;
  }
  return Flow::on;
}

/// Broken if the run was aborted, or the device has failed. A status word that is set is finish()'s to find.
RunJob::Flow RunJob::run_step(size_t i, bool nested, Memory* memory) {
  using Clock = std::chrono::steady_clock;
  Device& device = *plan_->device();
  const PlanStep& step = plan_->plan().steps()[i];
  if (!memory->committing) {
    if (cancelled->load(std::memory_order_acquire) || (client && client->closed())) {
      outcome = Outcome::aborted;
      return Flow::broken;
    }
    if (device.host_memory() && memory->status()->code != POLLUX_OK) return Flow::over;
    memory->committing = step.commit;
  }
  memory->operands.clear();
  for (const uint32_t tensor : step.tensors) memory->operands.push_back(memory->tensors[tensor]);
  const auto start = profile ? Clock::now() : Clock::time_point();
  const PolluxResult result = device.backend().enqueue(device.handle(), plan_->prepared()[i], memory->operands.data(),
                                                       memory->arena + plan_->scratch_offset(), memory->status());
  if (result != POLLUX_SUCCESS || profile || debug) {
    std::string reason;
    if (result != POLLUX_SUCCESS || !device.synchronize(&reason)) {
      fail("INTERNAL", "Step " + std::to_string(i) + " (" + step.step.kernel + ", " + step.step.label + ") failed on " +
                           device.name() + ". " + reason);
      return Flow::broken;
    }
  }
  if (profile) step_nanoseconds[i] += std::chrono::duration<double, std::nano>(Clock::now() - start).count();
  // What has begun to commit is finished, whatever a scan finds.
  if (debug && status.code == POLLUX_OK && !scan_outputs(step, memory)) return Flow::broken;
  if (debug && status.code != POLLUX_OK && !memory->committing) return Flow::over;
  if (!nested && device.host_memory()) device.executor().between_steps(*this);
  return Flow::on;
}

/// Debug mode: looks for the first non-finite float32 among the outputs of a step. False on an error of the device.
bool RunJob::scan_outputs(const PlanStep& step, Memory* memory) {
  Device& device = *plan_->device();
  for (int32_t k = 0; k < step.step.output_count; ++k) {
    const uint32_t index = step.tensors[static_cast<size_t>(step.step.input_count + k)];
    const PlanTensor& tensor = plan_->plan().tensors()[index];
    const PolluxOperand& operand = tensor.operand;
    if (operand.dtype != POLLUX_FLOAT32 || tensor.extent == 0) continue;
    std::vector<float> values(tensor.extent / sizeof(float));
    std::string reason;
    const char* lowest = static_cast<const char*>(memory->tensors[index]) + tensor.lowest;
    if (device.backend().download(device.handle(), values.data(), lowest, tensor.extent) != POLLUX_SUCCESS ||
        !device.synchronize(&reason))
      return fail("INTERNAL", "A step's output could not be read back. " + reason);
    int64_t place[POLLUX_MAX_RANK] = {};
    int64_t offset = -tensor.lowest / static_cast<int64_t>(sizeof(float));
    for (int64_t element = 0;; ++element) {
      if (!std::isfinite(values[static_cast<size_t>(offset)])) {
        status = {POLLUX_NOT_FINITE, step.step.index, element, 0};
        this->operand = k;
        return true;
      }
      int32_t axis = operand.rank - 1;
      for (; axis >= 0; --axis) {
        offset += operand.stride[axis];
        if (++place[axis] < operand.shape[axis]) break;
        offset -= operand.stride[axis] * operand.shape[axis];
        place[axis] = 0;
      }
      if (axis < 0) break;
    }
  }
  return true;
}

/// Brings back the status word and the small results, or the inputs of a failed run.
bool RunJob::finish(Memory* memory) {
  Device& device = *plan_->device();
  const PolluxBackend& backend = device.backend();
  const Plan& plan = plan_->plan();
  const PolluxStatus scanned = status;
  bool queued = backend.download(device.handle(), &status, memory->status(), sizeof status) == POLLUX_SUCCESS;
  for (size_t i = 0; i < results.size(); ++i) {
    if (results[i].buffer) continue;
    results[i].bytes.resize(plan.results()[i]);
    if (plan.results()[i] > 0)
      queued = queued && backend.download(device.handle(), results[i].bytes.data(), memory->results[i],
                                          plan.results()[i]) == POLLUX_SUCCESS;
  }
  std::string reason;
  if (!device.synchronize(&reason) || !queued) return fail("INTERNAL", "The results could not be read back. " + reason);
  if (scanned.code != POLLUX_OK) status = scanned;
  if (status.code == POLLUX_OK) {
    outcome = Outcome::done;
    return true;
  }
  outcome = Outcome::failed;
  results.clear();
  if (client) client->fail_group(group);
  inputs.resize(sources_.size());
  for (size_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i].buffer) continue;
    inputs[i] = std::make_unique<std::vector<uint8_t>>(plan.bindings()[i].bytes);
    if (!inputs[i]->empty())
      backend.download(device.handle(), inputs[i]->data(), memory->bindings[i], inputs[i]->size());
  }
  device.synchronize(&reason);
  return true;
}

}  // namespace pollux
