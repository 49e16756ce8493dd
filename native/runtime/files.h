// Files of tensors, written and read by a thread of their own: Node's buffers end at 4 GiB and its pool has other work.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "transfers.h"

namespace pollux {

/// Part of a file to be written: host bytes, or a buffer that a SnapshotJob copies to the host first.
struct FileSegment {
  HostBytes host;
  std::shared_ptr<Buffer> buffer;
};

struct FileRead {
  uint64_t position;
  void* destination;  ///< stays valid until the job has settled
  uint64_t bytes;
};

/// Work for the file thread; finishes like any job of its client.
class FileJob : public Job {
 public:
  std::string path;
};

class FileWriteJob : public FileJob {
 public:
  std::vector<FileSegment> segments;
  bool sync_to_disk = false;
  void execute(bool nested) override;
};

class FileReadJob : public FileJob {
 public:
  std::vector<FileRead> reads;
  void execute(bool nested) override;
};

/// Submits a read.
void submit_read(std::unique_ptr<FileReadJob> read);

/// Submits a write. Its buffers are copied to the host first, in order with the runs of the client: so a file holds one
/// moment, and later runs do not wait for the disk.
void submit_write(std::unique_ptr<FileWriteJob> write);

/// Drops the queued file jobs of a closed client and waits until none of its jobs runs.
void forget_files(Client* client);

}  // namespace pollux
