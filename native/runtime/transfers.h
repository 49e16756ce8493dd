// Jobs that move bytes between the host and a buffer, in order with the runs of their client.
#pragma once
#include <memory>
#include <vector>

#include "device.h"

namespace pollux {

/// Host bytes that a job owns, or borrows from JavaScript until the job has settled.
struct HostBytes {
  std::unique_ptr<uint8_t[]> owned;
  const void* borrowed = nullptr;
  uint64_t bytes = 0;
  const void* data() const { return owned ? owned.get() : borrowed; }

  /// A copy; `data()` is null when there is no memory for it.
  static HostBytes copy(const void* data, uint64_t bytes);
};

/// Fills a buffer with zeros.
class ZeroJob : public Job {
 public:
  explicit ZeroJob(std::shared_ptr<Buffer> buffer);
  void execute(bool nested) override;
};

/// Overwrites a buffer.
class WriteJob : public Job {
 public:
  WriteJob(std::shared_ptr<Buffer> buffer, HostBytes source);
  void execute(bool nested) override;
  bool is_short() const override;

 private:
  HostBytes source_;
};

/// Copies a buffer to host memory that stays valid until the job has settled.
class ReadJob : public Job {
 public:
  ReadJob(std::shared_ptr<Buffer> buffer, void* destination);
  void execute(bool nested) override;
  bool is_short() const override;

 private:
  void* destination_;
};

}  // namespace pollux
