// Exports: files of tensors.
#include "../runtime/files.h"

#include "environment.h"
#include "handles.h"

namespace pollux {
namespace {

Napi::Value write_segments(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Environment>& self = Environment::of(info.Env());
  auto job = std::make_unique<FileWriteJob>();
  job->client = self;
  job->path = info[0].ToString();
  job->sync_to_disk = info[2].ToBoolean();
  std::vector<napi_value> kept;
  const auto list = info[1].As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::Value value = list.Get(i);
    FileSegment& segment = job->segments.emplace_back();
    if (value.IsExternal()) {
      segment.buffer = object_at<Buffer>(value);
      continue;
    }
    const HostView view = view_of(value);
    if (view.shared) {
      segment.host.borrowed = view.data;
      segment.host.bytes = view.bytes;
      kept.push_back(value);
      continue;
    }
    segment.host = HostBytes::copy(view.data, view.bytes);
    if (!segment.host.data()) {
      self->throw_error("OUT_OF_MEMORY", "No memory for a copy of " + std::to_string(view.bytes) +
                                             " bytes to be written to " + job->path + ".");
      return info.Env().Undefined();
    }
  }
  const Napi::Promise promise = self->promise_for(job.get(), kept);
  submit_write(std::move(job));
  return promise;
}

Napi::Value read_segments(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Environment>& self = Environment::of(info.Env());
  auto job = std::make_unique<FileReadJob>();
  job->client = self;
  job->path = info[0].ToString();
  std::vector<napi_value> kept;
  const auto positions = info[1].As<Napi::Array>(), destinations = info[2].As<Napi::Array>();
  for (uint32_t i = 0; i < positions.Length(); ++i) {
    const Napi::Value position = positions.Get(i), destination = destinations.Get(i);
    auto buffer = destination.As<Napi::ArrayBuffer>();
    job->reads.push_back({static_cast<uint64_t>(position.ToNumber().Int64Value()), buffer.Data(), buffer.ByteLength()});
    kept.push_back(destination);
  }
  const Napi::Promise promise = self->promise_for(job.get(), kept);
  submit_read(std::move(job));
  return promise;
}

}  // namespace

void export_files(Napi::Env env, Napi::Object exports) {
  add<write_segments>(env, exports, "writeSegments");
  add<read_segments>(env, exports, "readSegments");
}

}  // namespace pollux
