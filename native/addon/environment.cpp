#include "environment.h"

#include "../runtime/device.h"
#include "../runtime/files.h"

namespace pollux {

using Instance = std::shared_ptr<Environment>;

std::shared_ptr<Environment> Environment::create(Napi::Env env) {
  Instance self(new Environment(env));
  napi_create_threadsafe_function(env, nullptr, nullptr, Napi::String::New(env, "pollux"), 0, 1, nullptr, nullptr,
                                  self.get(), settle_all, &self->wake_);
  napi_unref_threadsafe_function(env, self->wake_);
  // Added after the thread-safe function, so it runs before that one's own: nobody calls it once it is gone.
  napi_add_env_cleanup_hook(env, tear_down, self.get());
  env.SetInstanceData<Instance>(new Instance(self));
  return self;
}

const std::shared_ptr<Environment>& Environment::of(Napi::Env env) {
  return *env.GetInstanceData<Instance>();
}

/// The environment goes: its queued work is dropped, and what runs is waited for (at most a step, or the commit phase),
/// because it may use memory of this environment.
void Environment::tear_down(void* environment) {
  auto* self = static_cast<Environment*>(environment);
  self->close();
  {
    const std::lock_guard lock(self->mutex_);
    self->open_ = false;
  }
  Device::for_each([&](Device& device) { device.executor().forget(self); });
  forget_files(self);
  self->error_maker.SuppressDestruct();
}

void Environment::completed(std::unique_ptr<Job> job) {
  const std::lock_guard lock(mutex_);
  if (!open_) return;
  finished_.push_back(std::move(job));
  if (finished_.size() == 1) napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking);
}

Napi::Promise Environment::promise_for(Job* job, const std::vector<napi_value>& kept) {
  Pending pending{};
  napi_value promise;
  napi_create_promise(env_, &pending.deferred, &promise);
  for (napi_value value : kept) {
    napi_ref reference;
    if (napi_create_reference(env_, value, 1, &reference) == napi_ok) pending.kept.push_back(reference);
  }
  job->id = next_id_++;
  if (pending_.empty()) napi_ref_threadsafe_function(env_, wake_);  // work in flight keeps the process alive
  pending_.emplace(job->id, std::move(pending));
  return Napi::Promise(env_, promise);
}

void Environment::settle_all(napi_env env, napi_value, void* context, void*) {
  if (!env) return;  // torn down
  const Instance self = of(env);
  std::vector<std::unique_ptr<Job>> finished;
  {
    const std::lock_guard lock(self->mutex_);
    finished.swap(self->finished_);
  }
  for (const auto& job : finished) self->settle(job.get());
  if (self->pending_.empty()) napi_unref_threadsafe_function(env, static_cast<Environment*>(context)->wake_);
}

void Environment::settle(Job* job) {
  const Napi::HandleScope scope(env_);
  const auto found = pending_.find(job->id);
  if (found == pending_.end()) return;
  const Pending pending = std::move(found->second);
  pending_.erase(found);
  if (RunJob* run = job->as_run())
    napi_resolve_deferred(env_, pending.deferred, outcome_of(env_, run));
  else if (job->error)
    napi_reject_deferred(env_, pending.deferred, make_error(job->error, job->message));
  else
    napi_resolve_deferred(env_, pending.deferred, Napi::Env(env_).Undefined());
  for (napi_ref reference : pending.kept) napi_delete_reference(env_, reference);
}

Napi::Value Environment::make_error(const char* code, const std::string& message) {
  return error_maker.Call({Napi::String::New(env_, code), Napi::String::New(env_, message)});
}

void Environment::throw_error(const char* code, const std::string& message) {
  const Napi::Value error = make_error(code, message);
  if (!error.IsEmpty()) napi_throw(env_, error);
}

}  // namespace pollux
