// What the addon keeps for one JavaScript environment (the main thread, or a worker).
#pragma once
#include <napi.h>

#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "../runtime/executor.h"
#include "../runtime/run.h"

namespace pollux {

/// Receives finished jobs and settles their promises, each batch in a macrotask of its own.
class Environment : public Client {
 public:
  static std::shared_ptr<Environment> create(Napi::Env env);
  static const std::shared_ptr<Environment>& of(Napi::Env env);

  void completed(std::unique_ptr<Job> job) override;

  /// The promise of a job. `kept` are JavaScript values whose memory the job borrows; they live until it has settled.
  Napi::Promise promise_for(Job* job, const std::vector<napi_value>& kept);

  /// A PolluxError with this code.
  Napi::Value make_error(const char* code, const std::string& message);
  void throw_error(const char* code, const std::string& message);

  Napi::FunctionReference error_maker;
  /// Of the runs that can still be stopped, by the number that JavaScript gave them.
  std::unordered_map<uint32_t, std::shared_ptr<std::atomic<bool>>> cancellable;

 private:
  struct Pending {
    napi_deferred deferred;
    std::vector<napi_ref> kept;
  };

  explicit Environment(Napi::Env env) : env_(env) {}
  static void settle_all(napi_env env, napi_value, void* context, void*);
  static void tear_down(void* environment);
  void settle(Job* job);

  napi_env env_;
  napi_threadsafe_function wake_ = nullptr;
  std::unordered_map<uint64_t, Pending> pending_;
  uint64_t next_id_ = 1;

  std::mutex mutex_;
  bool open_ = true;  // guarded, as is what follows
  std::vector<std::unique_ptr<Job>> finished_;
};

/// What a run came to, as the object that src/runtime/addon.ts describes.
Napi::Value outcome_of(Napi::Env env, RunJob* job);

}  // namespace pollux
