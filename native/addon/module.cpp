// The addon's entry: JavaScript values to C++ values and back, and no arithmetic.
#include <dlfcn.h>
#include <napi.h>

#include "../runtime/worker_pool.h"
#include "environment.h"
#include "handles.h"

namespace pollux {
namespace {

Napi::Value connect(const Napi::CallbackInfo& info) {
  Environment::of(info.Env())->error_maker = Napi::Persistent(info[0].As<Napi::Function>());
  return info.Env().Undefined();
}

Napi::Value threads(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), worker_pool().threads());
}

Napi::Value set_threads(const Napi::CallbackInfo& info) {
  worker_pool().set_threads(info[0].ToNumber().Int32Value());
  return info.Env().Undefined();
}

/// Node closes an addon with the last environment that loaded it, but executors and workers run on: stay mapped.
void stay_loaded() {
  Dl_info self;
  if (dladdr(reinterpret_cast<void*>(&stay_loaded), &self))
    dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  stay_loaded();
  Environment::create(env);
  add<connect>(env, exports, "connect");
  add<threads>(env, exports, "threads");
  add<set_threads>(env, exports, "setThreads");
  export_devices(env, exports);
  export_plans(env, exports);
  export_files(env, exports);
  return exports;
}

NODE_API_MODULE(pollux, initialise)

}  // namespace
}  // namespace pollux
