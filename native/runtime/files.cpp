#include "files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

namespace pollux {
namespace {

/// The file thread is an executor without a device: the same queue, fairness and way to forget a client.
Executor& file_executor() {
  static auto* executor = new Executor(false);
  return *executor;
}

/// Between two of these the job looks whether its client is still there.
constexpr uint64_t piece = uint64_t{8} << 20;

void fail(Job* job, const std::string& path, const char* what, int number) {
  job->error = "IO_FAILED";
  job->message = path + " could not be " + what + ": " + std::strerror(number) + ".";
  if (number == ENOSPC || number == EDQUOT) job->message += " Make room on the disk; the file is incomplete.";
}

class File {
 public:
  File(const std::string& path, int flags) : descriptor(open(path.c_str(), flags | O_CLOEXEC, 0666)) {}
  ~File() {
    if (descriptor >= 0) close(descriptor);
  }
  /// Errors of a delayed write may come as late as here.
  int close_now() {
    const int result = close(descriptor);
    descriptor = -1;
    return result;
  }
  int descriptor;
};

/// Calls transfer(offset, bytes) until all is done; false with errno set. A transfer of nothing sets errno to 0.
template <typename Transfer>
bool in_pieces(const Job& job, uint64_t bytes, const Transfer& transfer) {
  for (uint64_t done = 0; done < bytes;) {
    if (job.client && job.client->closed()) {
      errno = ECANCELED;
      return false;
    }
    const ssize_t moved = transfer(done, std::min(piece, bytes - done));
    if (moved < 0 && errno == EINTR) continue;
    if (moved <= 0) {
      if (moved == 0) errno = 0;
      return false;
    }
    done += static_cast<uint64_t>(moved);
  }
  return true;
}

/// Copies the buffers of a write that lie on one device to the host, then hands the write on.
class SnapshotJob : public Job {
 public:
  SnapshotJob(Device* device, std::unique_ptr<FileWriteJob> write);
  void execute(bool nested) override;
  bool hand_on() override;

 private:
  Device* device_;
  std::unique_ptr<FileWriteJob> write_;
};

}  // namespace

void submit_read(std::unique_ptr<FileReadJob> read) {
  file_executor().submit(std::move(read));
}

void submit_write(std::unique_ptr<FileWriteJob> write) {
  for (const FileSegment& segment : write->segments) {
    if (!segment.buffer || segment.host.owned) continue;
    Device* device = segment.buffer->device;
    device->executor().submit(std::make_unique<SnapshotJob>(device, std::move(write)));
    return;
  }
  file_executor().submit(std::move(write));
}

void forget_files(Client* client) {
  file_executor().forget(client);
}

void FileWriteJob::execute(bool) {
  File file(path, O_WRONLY | O_CREAT | O_TRUNC);
  if (file.descriptor < 0) return fail(this, path, "opened for writing", errno);
  uint64_t position = 0;
  for (FileSegment& segment : segments) {
    const auto* data = static_cast<const char*>(segment.host.data());
    const bool written = in_pieces(*this, segment.host.bytes, [&](uint64_t done, uint64_t bytes) {
      return pwrite(file.descriptor, data + done, bytes, static_cast<off_t>(position + done));
    });
    if (!written) return fail(this, path, "written", errno ? errno : EIO);
    position += segment.host.bytes;
    segment.host.owned.reset();  // the memory of a snapshot goes as it is written
  }
  if (sync_to_disk && fsync(file.descriptor) != 0) return fail(this, path, "synchronised to the disk", errno);
  if (file.close_now() != 0) fail(this, path, "closed", errno);
}

void FileReadJob::execute(bool) {
  File file(path, O_RDONLY);
  if (file.descriptor < 0) return fail(this, path, "opened for reading", errno);
  for (const FileRead& read : reads) {
    auto* target = static_cast<char*>(read.destination);
    const bool complete = in_pieces(*this, read.bytes, [&](uint64_t done, uint64_t bytes) {
      return pread(file.descriptor, target + done, bytes, static_cast<off_t>(read.position + done));
    });
    if (complete) continue;
    if (errno != 0) return fail(this, path, "read", errno);
    error = "IO_FAILED";
    message = path + " ends before byte " + std::to_string(read.position + read.bytes) +
              "; it is cut short or was changed while being read.";
    return;
  }
}

SnapshotJob::SnapshotJob(Device* device, std::unique_ptr<FileWriteJob> write)
    : device_(device), write_(std::move(write)) {
  id = write_->id;
  client = write_->client;
  for (const FileSegment& segment : write_->segments)
    if (segment.buffer && segment.buffer->device == device) accesses.push_back({segment.buffer, false});
}

void SnapshotJob::execute(bool) {
  bool queued = true;
  for (FileSegment& segment : write_->segments) {
    if (!segment.buffer || segment.buffer->device != device_) continue;
    const Buffer& buffer = *segment.buffer;
    segment.host.bytes = buffer.bytes;
    segment.host.owned.reset(new (std::nothrow) uint8_t[buffer.bytes + 1]);
    if (!segment.host.owned) {
      error = "OUT_OF_MEMORY";
      message = "No memory for a copy of " + std::to_string(buffer.bytes) + " bytes that are to be written to " +
                write_->path + ".";
      break;
    }
    if (buffer.bytes > 0)
      queued = queued && device_->backend().download(device_->handle(), segment.host.owned.get(), buffer.memory,
                                                     buffer.bytes) == POLLUX_SUCCESS;
  }
  std::string reason;
  if (!device_->synchronize(&reason) || !queued) {
    error = "INTERNAL";
    message = "Tensors could not be read back to be written to " + write_->path + ". " + reason;
  }
}

bool SnapshotJob::hand_on() {
  if (error) return false;
  submit_write(std::move(write_));
  return true;
}

}  // namespace pollux
