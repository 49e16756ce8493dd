// JavaScript's handles on native objects: externals whose finalizers are the backstop of dispose().
#pragma once
#include <napi.h>

#include <memory>
#include <string>
#include <vector>

#include "../runtime/device.h"
#include "../runtime/loaded_plan.h"

namespace pollux {

/// A handle on something shared, which tells the garbage collector how many bytes hang on it.
template <typename T>
struct Handle {
  std::shared_ptr<T> object;
  int64_t reported = 0;

  void report(napi_env env, int64_t bytes) {
    int64_t total;
    napi_adjust_external_memory(env, bytes - reported, &total);
    reported = bytes;
  }
  void dispose(napi_env env) {
    if (!object) return;
    report(env, 0);
    object.reset();
  }
};

template <typename T>
Napi::Value make_handle(Napi::Env env, std::shared_ptr<T> object, uint64_t bytes) {
  auto* handle = new Handle<T>{std::move(object)};
  handle->report(env, static_cast<int64_t>(bytes));
  const auto finalize = [](Napi::Env finalizing, Handle<T>* gone) {
    gone->dispose(finalizing);
    delete gone;
  };
  const auto external = Napi::External<Handle<T>>::New(env, handle, finalize);
  if (external.IsEmpty()) finalize(env, handle);  // in a worker that is being terminated
  return external;
}

template <typename T>
Handle<T>& handle_at(const Napi::Value& value) {
  return *value.As<Napi::External<Handle<T>>>().Data();
}

/// The object behind an argument. The TypeScript side has made sure that it was not disposed.
template <typename T>
const std::shared_ptr<T>& object_at(const Napi::Value& value) {
  return handle_at<T>(value).object;
}

inline Device* device_at(const Napi::Value& value) {
  return value.As<Napi::External<Device>>().Data();
}

/// The bytes behind a typed array or DataView.
struct HostView {
  void* data = nullptr;
  size_t bytes = 0;
  bool shared = false;  ///< on a SharedArrayBuffer, which cannot be detached
};

HostView view_of(Napi::Value value);

// Registration, one function for each file of exports.
void export_devices(Napi::Env env, Napi::Object exports);
void export_plans(Napi::Env env, Napi::Object exports);
void export_files(Napi::Env env, Napi::Object exports);

template <Napi::Value (*function)(const Napi::CallbackInfo&)>
void add(Napi::Env env, Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<function>(env, name));
}

}  // namespace pollux
