// The thread that drives one device, and the queue before it.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace pollux {

class Buffer;
class Job;
class RunJob;

/// Whoever submits jobs: one JavaScript environment. Its jobs run in the order of their submission, but a short job may
/// overtake others that it shares no memory with; environments take turns.
class Client {
 public:
  virtual ~Client() = default;
  /// Receives each finished job, on the executor's thread (or not at all, once the client is closed).
  virtual void completed(std::unique_ptr<Job> job) = 0;

  /// From now on its runs stop at the next step, and its queued jobs are dropped.
  void close() { closed_.store(true, std::memory_order_release); }
  bool closed() const { return closed_.load(std::memory_order_acquire); }

  /// Groups of runs: after one has failed, the others are skipped until the failure is acknowledged. Group 0 is none.
  void fail_group(uint32_t group);
  bool group_failed(uint32_t group) const;
  void acknowledge(uint32_t group);

 private:
  std::atomic<bool> closed_{false};
  mutable std::mutex mutex_;
  std::set<uint32_t> failed_;
};

/// A buffer that a job uses, for as long as the job exists.
struct Access {
  std::shared_ptr<Buffer> buffer;
  bool writes;
};

/// Something a device does for a client.
class Job {
 public:
  virtual ~Job() = default;
  /// Runs on the executor's thread, or on the submitter's when inline. `nested`: between two steps of another job.
  virtual void execute(bool nested) = 0;
  /// May run between two steps of another job, if they share no memory that one of them writes.
  virtual bool is_short() const { return false; }
  /// Jobs of one sequence never overtake one another; null: none.
  virtual const void* sequence() const { return nullptr; }

  /// Asked when the job has run: true if another job took its place, and will complete in its stead.
  virtual bool hand_on() { return false; }

  /// The job as a run of a plan, if it is one.
  virtual RunJob* as_run() { return nullptr; }

  bool conflicts_with(const Job& other) const;

  uint64_t id = 0;     ///< the client's
  uint32_t group = 0;  ///< jobs of one group never overtake one another; 0: none
  std::shared_ptr<Client> client;
  std::vector<Access> accesses;
  /// Set when the job could not do its work: an ErrorCode of src/errors.ts, and the message.
  const char* error = nullptr;
  std::string message;
};

class Executor {
 public:
  /// `pinned`: the thread takes part in parallel regions and is pinned with the workers.
  explicit Executor(bool pinned) : pinned_(pinned) {}

  void submit(std::unique_ptr<Job> job);
  /// Runs the job on the calling thread if the device is idle, alone on that thread; false leaves the job untouched.
  bool try_inline(Job* job);
  /// Called by a job between two steps: runs at most one short job that does not conflict.
  void between_steps(const Job& running);
  /// Drops the queued jobs of a closed client and waits until none of its jobs runs.
  void forget(Client* client);

 private:
  struct Lane {
    std::shared_ptr<Client> client;
    std::vector<std::unique_ptr<Job>> jobs;
  };

  void loop();
  std::unique_ptr<Job> take();                          // holding mutex_
  std::unique_ptr<Job> take_short(const Job& running);  // holding mutex_
  void drop_empty_lane(size_t index);                   // holding mutex_
  static void finish(std::unique_ptr<Job> job);

  const bool pinned_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  std::vector<Lane> lanes_;
  size_t turn_ = 0;
  std::atomic<int32_t> queued_{0};
  bool started_ = false;
  bool busy_ = false;        // a job runs, on whatever thread
  bool sleeping_ = false;    // the thread waits on wake_
  Client* running_[2] = {};  // clients of the running job and of the one nested in it
};

}  // namespace pollux
