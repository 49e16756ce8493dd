// Exports: devices and buffers.
#include <cstring>

#include "../runtime/transfers.h"
#include "environment.h"
#include "handles.h"

namespace pollux {

HostView view_of(Napi::Value value) {
  HostView view;
  napi_value owner = nullptr;
  napi_env env = value.Env();
  if (value.IsTypedArray()) {
    napi_typedarray_type type;
    size_t length, offset;
    napi_get_typedarray_info(env, value, &type, &length, &view.data, &owner, &offset);
    view.bytes = value.As<Napi::TypedArray>().ByteLength();
  } else {
    size_t offset;
    napi_get_dataview_info(env, value, &view.bytes, &view.data, &owner, &offset);
  }
  bool ordinary = false;
  napi_is_arraybuffer(env, owner, &ordinary);
  view.shared = !ordinary;
  return view;
}

namespace {

Napi::Value open_device(const Napi::CallbackInfo& info) {
  std::string error;
  Device* device = Device::open(info[0].ToString(), info[1].ToString(), &error);
  if (device) return Napi::External<Device>::New(info.Env(), device);  // lives as long as the process
  Environment::of(info.Env())->throw_error("BACKEND_UNAVAILABLE", error);
  return info.Env().Undefined();
}

Napi::Array rows(Napi::Env env, const PolluxKernelInfo* table, int32_t count) {
  Napi::Array list = Napi::Array::New(env, static_cast<size_t>(count));
  for (int32_t i = 0; i < count; ++i) {
    Napi::Object row = Napi::Object::New(env);
    row.Set("name", table[i].name);
    row.Set("dtypes", table[i].dtypes);
    row.Set("features", table[i].features);
    row.Set("fusions", table[i].fusions ? table[i].fusions : "");
    list.Set(static_cast<uint32_t>(i), row);
  }
  return list;
}

Napi::Value describe(const Napi::CallbackInfo& info) {
  const PolluxDescription& table = device_at(info[0])->description();
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("level", table.level);
  result.Set("kernels", rows(info.Env(), table.kernels, table.kernel_count));
  result.Set("instructions", rows(info.Env(), table.instructions, table.instruction_count));
  return result;
}

Napi::Value memory(const Napi::CallbackInfo& info) {
  const Device& device = *device_at(info[0]);
  Napi::Array result = Napi::Array::New(info.Env(), 4);
  const uint64_t values[] = {device.live_bytes(), device.peak_bytes(), device.arena_bytes(), device.packed_bytes()};
  for (uint32_t i = 0; i < 4; ++i) result.Set(i, static_cast<double>(values[i]));
  return result;
}

/// Null, with a pending exception, if there is no memory.
std::shared_ptr<Buffer> new_buffer(Napi::Env env, Device* device, uint64_t bytes) {
  std::shared_ptr<Buffer> buffer = Buffer::allocate(device, bytes);
  if (!buffer)
    Environment::of(env)->throw_error("OUT_OF_MEMORY", "No memory for " + std::to_string(bytes) + " bytes on " +
                                                           device->name() +
                                                           ". Dispose what is not needed, or use smaller tensors.");
  return buffer;
}

Napi::Value allocate(const Napi::CallbackInfo& info) {
  constexpr uint64_t most_at_once = uint64_t{256} << 10;  // zeroing more would hold up the caller
  Device* device = device_at(info[0]);
  std::shared_ptr<Buffer> buffer =
      new_buffer(info.Env(), device, static_cast<uint64_t>(info[1].ToNumber().Int64Value()));
  if (!buffer) return info.Env().Undefined();
  if (device->host_memory() && buffer->bytes <= most_at_once) {
    std::memset(buffer->memory, 0, buffer->bytes);
  } else {
    auto job = std::make_unique<ZeroJob>(buffer);
    job->client = Environment::of(info.Env());
    device->executor().submit(std::move(job));
  }
  return make_handle(info.Env(), buffer, buffer->bytes);
}

Napi::Value upload(const Napi::CallbackInfo& info) {
  Device* device = device_at(info[0]);
  const HostView view = view_of(info[1]);
  std::shared_ptr<Buffer> buffer = new_buffer(info.Env(), device, view.bytes);
  if (!buffer) return info.Env().Undefined();
  if (device->host_memory()) {
    if (view.bytes > 0) std::memcpy(buffer->memory, view.data, view.bytes);  // nobody else knows this memory yet
  } else {
    HostBytes copy = HostBytes::copy(view.data, view.bytes);
    if (!copy.data()) {
      Environment::of(info.Env())
          ->throw_error("OUT_OF_MEMORY", "No memory to stage " + std::to_string(view.bytes) + " bytes.");
      return info.Env().Undefined();
    }
    auto job = std::make_unique<WriteJob>(buffer, std::move(copy));
    job->client = Environment::of(info.Env());
    device->executor().submit(std::move(job));
  }
  return make_handle(info.Env(), buffer, buffer->bytes);
}

Napi::Value buffer_bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(object_at<Buffer>(info[0])->bytes));
}

Napi::Value dispose_buffer(const Napi::CallbackInfo& info) {
  handle_at<Buffer>(info[0]).dispose(info.Env());
  return info.Env().Undefined();
}

Napi::Value submit(Napi::Env env, std::unique_ptr<Job> job, Device* device, const std::vector<napi_value>& kept) {
  const std::shared_ptr<Environment>& self = Environment::of(env);
  job->client = self;
  const Napi::Promise promise = self->promise_for(job.get(), kept);
  device->executor().submit(std::move(job));
  return promise;
}

Napi::Value read_buffer(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Buffer>& buffer = object_at<Buffer>(info[0]);
  return submit(info.Env(), std::make_unique<ReadJob>(buffer, info[1].As<Napi::ArrayBuffer>().Data()), buffer->device,
                {info[1]});
}

Napi::Value write_buffer(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Buffer>& buffer = object_at<Buffer>(info[0]);
  const HostView view = view_of(info[1]);
  HostBytes copy = HostBytes::copy(view.data, view.bytes);
  if (!copy.data()) {
    Environment::of(info.Env())
        ->throw_error("OUT_OF_MEMORY", "No memory to stage " + std::to_string(view.bytes) + " bytes.");
    return info.Env().Undefined();
  }
  return submit(info.Env(), std::make_unique<WriteJob>(buffer, std::move(copy)), buffer->device, {});
}

Napi::Value share(const Napi::CallbackInfo& info) {
  return Napi::BigInt::New(info.Env(), share_buffer(object_at<Buffer>(info[0])));
}

Napi::Value receive(const Napi::CallbackInfo& info) {
  bool lossless;
  std::shared_ptr<Buffer> buffer = claim_buffer(info[0].As<Napi::BigInt>().Uint64Value(&lossless));
  if (!buffer) {
    Environment::of(info.Env())
        ->throw_error("DISPOSED",
                      "No buffer waits under this number; each number that share() gives is good for one receive().");
    return info.Env().Undefined();
  }
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("device", buffer->device->name());
  result.Set("buffer", make_handle(info.Env(), buffer, buffer->bytes));
  return result;
}

}  // namespace

void export_devices(Napi::Env env, Napi::Object exports) {
  add<open_device>(env, exports, "openDevice");
  add<describe>(env, exports, "describe");
  add<memory>(env, exports, "memory");
  add<allocate>(env, exports, "allocate");
  add<upload>(env, exports, "upload");
  add<buffer_bytes>(env, exports, "bufferBytes");
  add<dispose_buffer>(env, exports, "disposeBuffer");
  add<read_buffer>(env, exports, "readBuffer");
  add<write_buffer>(env, exports, "writeBuffer");
  add<share>(env, exports, "shareBuffer");
  add<receive>(env, exports, "receiveBuffer");
}

}  // namespace pollux
