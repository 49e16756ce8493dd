#include "transfers.h"

#include <cstring>
#include <new>

namespace pollux {
namespace {

/// A transfer of at most this many bytes may take place between two steps of a run.
constexpr uint64_t short_bytes = uint64_t{1} << 20;

void settle(Job* job, PolluxResult queued) {
  if (job->accesses[0].buffer->device->synchronize(&job->message) && queued == POLLUX_SUCCESS) return;
  job->error = "INTERNAL";
  if (job->message.empty())
    job->message = "The device '" + job->accesses[0].buffer->device->name() + "' refused a copy.";
}

}  // namespace

HostBytes HostBytes::copy(const void* data, uint64_t bytes) {
  HostBytes result;
  result.bytes = bytes;
  result.owned.reset(new (std::nothrow) uint8_t[bytes + 1]);
  if (result.owned && bytes > 0) std::memcpy(result.owned.get(), data, bytes);
  return result;
}

ZeroJob::ZeroJob(std::shared_ptr<Buffer> buffer) {
  accesses.push_back({std::move(buffer), true});
}

void ZeroJob::execute(bool) {
  const Buffer& buffer = *accesses[0].buffer;
  settle(this, buffer.device->backend().fill_zero(buffer.device->handle(), buffer.memory, buffer.bytes));
}

WriteJob::WriteJob(std::shared_ptr<Buffer> buffer, HostBytes source) : source_(std::move(source)) {
  accesses.push_back({std::move(buffer), true});
}

bool WriteJob::is_short() const {
  return accesses[0].buffer->device->host_memory() && source_.bytes <= short_bytes;
}

void WriteJob::execute(bool) {
  const Buffer& buffer = *accesses[0].buffer;
  if (buffer.bytes > 0)
    settle(this, buffer.device->backend().upload(buffer.device->handle(), buffer.memory, source_.data(), buffer.bytes));
}

ReadJob::ReadJob(std::shared_ptr<Buffer> buffer, void* destination) : destination_(destination) {
  accesses.push_back({std::move(buffer), false});
}

bool ReadJob::is_short() const {
  const Buffer& buffer = *accesses[0].buffer;
  return buffer.device->host_memory() && buffer.bytes <= short_bytes;
}

void ReadJob::execute(bool) {
  const Buffer& buffer = *accesses[0].buffer;
  if (buffer.bytes > 0)
    settle(this, buffer.device->backend().download(buffer.device->handle(), destination_, buffer.memory, buffer.bytes));
}

}  // namespace pollux
