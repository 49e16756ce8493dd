// Exports: plans and their runs.
#include <cstring>

#include "../runtime/run.h"
#include "environment.h"
#include "handles.h"

namespace pollux {
namespace {

// As in src/runtime/plan.ts.
enum RunFlags : uint32_t { run_debug = 1, run_profile = 2, run_inline = 4, run_queued = 8 };

/// Handing a run to another thread and back costs about this much.
constexpr double inline_microseconds = 20;

Napi::Value load_plan(const Napi::CallbackInfo& info) {
  Device* device = device_at(info[0]);
  auto wire = info[1].As<Napi::ArrayBuffer>();
  std::string error;
  std::unique_ptr<Plan> plan = Plan::read(wire.Data(), wire.ByteLength(), &error);
  if (!plan) {
    Environment::of(info.Env())->throw_error("INVALID_ARGUMENT", "Device.load: " + error + ".");
    return info.Env().Undefined();
  }
  for (const PlanStep& step : plan->steps()) {
    if (step.loop != wire::no_index || device->has_kernel(step.step.kernel)) continue;
    Environment::of(info.Env())
        ->throw_error("UNSUPPORTED", "The device '" + device->name() + "' has no kernel '" + step.step.kernel +
                                         "' (step " + std::to_string(step.step.index) + ", " + step.step.label + ").");
    return info.Env().Undefined();
  }
  const uint64_t constants = plan->constant_bytes();
  auto loaded = std::make_shared<LoadedPlan>(device, std::move(plan));
  auto prepare = std::make_unique<PrepareJob>(loaded);
  prepare->client = Environment::of(info.Env());
  device->executor().submit(std::move(prepare));
  return make_handle(info.Env(), std::move(loaded), constants);
}

Napi::Value plan_sizes(const Napi::CallbackInfo& info) {
  const Plan& plan = object_at<LoadedPlan>(info[0])->plan();
  Napi::Array bytes = Napi::Array::New(info.Env(), plan.bindings().size());
  for (uint32_t i = 0; i < plan.bindings().size(); ++i) bytes.Set(i, static_cast<double>(plan.bindings()[i].bytes));
  Napi::Array result = Napi::Array::New(info.Env(), 2);
  result.Set(0u, static_cast<double>(plan.arena_bytes()));
  result.Set(1u, bytes);
  return result;
}

Napi::Value plan_scratch(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(object_at<LoadedPlan>(info[0])->wait_for_scratch()));
}

Napi::Value dispose_plan(const Napi::CallbackInfo& info) {
  handle_at<LoadedPlan>(info[0]).dispose(info.Env());
  return info.Env().Undefined();
}

/// The bindings of a run, host data on ordinary ArrayBuffers copied to the slot: JavaScript may detach or resize it
/// later.
class Bindings {
 public:
  Bindings(Environment* environment, LoadedPlan* plan) : environment_(environment), plan_(plan) {}
  ~Bindings() {
    if (slot) slot->busy.store(false, std::memory_order_release);
  }

  /// False with a pending exception.
  bool read(const Napi::Array& list) {
    const auto& expected = plan_->plan().bindings();
    for (uint32_t i = 0; i < expected.size(); ++i) {
      const Napi::Value value = list.Get(i);
      sources.emplace_back();
      if (value.IsExternal()) {
        sources[i].buffer = object_at<Buffer>(value);
      } else if (expected[i].kind == wire::BindingKind::state) {
        environment_->throw_error(
            "INVALID_ARGUMENT",
            "Binding " + std::to_string(i) + " is state that the plan overwrites: it must be a device buffer.");
        return false;
      } else if (!stage(value, i)) {
        return false;
      }
    }
    return true;
  }

  std::vector<BindingSource> sources;
  std::vector<napi_value> kept;
  StagingSlot* slot = nullptr;

 private:
  bool stage(const Napi::Value& value, uint32_t i) {
    if (!slot) slot = plan_->take_slot();
    if (!slot) {
      environment_->throw_error("INTERNAL", "More than two runs of a plan were handed to the native side.");
      return false;
    }
    const HostView view = view_of(value);
    if (view.shared) {
      sources[i].borrowed = view.data;
      kept.push_back(value);
      return true;
    }
    void* target = plan_->device()->host_memory() ? plan_->slot_memory(slot, i) : plan_->slot_host(slot, i);
    if (!target) {
      environment_->throw_error("OUT_OF_MEMORY", "No memory to stage " + std::to_string(view.bytes) +
                                                     " bytes of binding " + std::to_string(i) + ".");
      return false;
    }
    if (view.bytes > 0) std::memcpy(target, view.data, view.bytes);
    sources[i].staged = true;
    return true;
  }

  Environment* environment_;
  LoadedPlan* plan_;
};

Napi::Value run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::shared_ptr<Environment>& self = Environment::of(env);
  Handle<LoadedPlan>& handle = handle_at<LoadedPlan>(info[0]);
  const std::shared_ptr<LoadedPlan> plan = handle.object;
  Bindings bindings(self.get(), plan.get());
  if (!bindings.read(info[1].As<Napi::Array>())) return env.Undefined();
  if (bindings.slot) handle.report(env, static_cast<int64_t>(plan->plan().constant_bytes() + plan->staged_bytes()));

  auto job = std::make_unique<RunJob>(plan, std::move(bindings.sources), std::exchange(bindings.slot, nullptr));
  const uint32_t flags = info[3].ToNumber().Uint32Value();
  job->client = self;
  job->group = info[2].ToNumber().Uint32Value();
  job->debug = flags & run_debug;
  job->profile = flags & run_profile;
  Executor& executor = plan->device()->executor();
  const bool tiny = plan->device()->host_memory() && plan->plan().estimated_microseconds() < inline_microseconds;
  if (!(flags & run_queued) && ((flags & run_inline) || (tiny && !job->debug)) && executor.try_inline(job.get()))
    return outcome_of(env, job.get());

  const Napi::Promise promise = self->promise_for(job.get(), bindings.kept);
  job->number = info[4].ToNumber().Uint32Value();
  self->cancellable.emplace(job->number, job->cancelled);
  executor.submit(std::move(job));
  return promise;
}

Napi::Value cancel(const Napi::CallbackInfo& info) {
  const auto& cancellable = Environment::of(info.Env())->cancellable;
  const auto found = cancellable.find(info[0].ToNumber().Uint32Value());
  if (found != cancellable.end()) found->second->store(true, std::memory_order_release);
  return info.Env().Undefined();
}

Napi::Value acknowledge(const Napi::CallbackInfo& info) {
  Environment::of(info.Env())->acknowledge(info[0].ToNumber().Uint32Value());
  return info.Env().Undefined();
}

Napi::ArrayBuffer copy_of(Napi::Env env, const std::vector<uint8_t>& bytes) {
  Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, bytes.size());
  // Empty in a worker that is being terminated.
  if (!bytes.empty() && !buffer.IsEmpty()) std::memcpy(buffer.Data(), bytes.data(), bytes.size());
  return buffer;
}

Napi::Object failure_of(Napi::Env env, const RunJob& job) {
  Napi::Object failure = Napi::Object::New(env);
  failure.Set("code", static_cast<double>(job.status.code));
  failure.Set("step", static_cast<double>(job.status.step));
  failure.Set("element", static_cast<double>(job.status.element));
  failure.Set("detail", static_cast<double>(job.status.detail));
  if (job.operand >= 0) failure.Set("operand", job.operand);
  Napi::Array inputs = Napi::Array::New(env, job.inputs.size());
  for (uint32_t i = 0; i < job.inputs.size(); ++i)
    inputs.Set(i, job.inputs[i] ? Napi::Value(copy_of(env, *job.inputs[i])) : env.Undefined());
  failure.Set("inputs", inputs);
  return failure;
}

}  // namespace

Napi::Value outcome_of(Napi::Env env, RunJob* job) {
  Environment::of(env)->cancellable.erase(job->number);
  Napi::Object result = Napi::Object::New(env);
  if (job->error) {
    result.Set("error", job->error);
    result.Set("message", job->message);
    return result;
  }
  switch (job->outcome) {
    case Outcome::done: {
      Napi::Array results = Napi::Array::New(env, job->results.size());
      for (uint32_t i = 0; i < job->results.size(); ++i) {
        RunOutput& output = job->results[i];
        results.Set(i, output.buffer ? make_handle(env, output.buffer, output.buffer->bytes)
                                     : Napi::Value(copy_of(env, output.bytes)));
      }
      result.Set("results", results);
      break;
    }
    case Outcome::failed:
      result.Set("failure", failure_of(env, *job));
      break;
    case Outcome::skipped:
      result.Set("skipped", true);
      break;
    case Outcome::aborted:
      result.Set("aborted", true);
      break;
    case Outcome::error:
      result.Set("error", "INTERNAL");
      result.Set("message", "The run ended without an outcome.");
      break;
  }
  if (job->profile) {
    Napi::Float64Array times = Napi::Float64Array::New(env, job->step_nanoseconds.size());
    for (size_t i = 0; i < job->step_nanoseconds.size() && !times.IsEmpty(); ++i) times[i] = job->step_nanoseconds[i];
    result.Set("stepNanoseconds", times);
  }
  return result;
}

void export_plans(Napi::Env env, Napi::Object exports) {
  add<load_plan>(env, exports, "loadPlan");
  add<plan_sizes>(env, exports, "planSizes");
  add<plan_scratch>(env, exports, "planScratch");
  add<dispose_plan>(env, exports, "disposePlan");
  add<run>(env, exports, "run");
  add<cancel>(env, exports, "cancel");
  add<acknowledge>(env, exports, "acknowledge");
}

}  // namespace pollux
