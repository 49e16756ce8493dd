// The worker threads that kernels run on: one pool for the process, lent to backends through PolluxHost.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace pollux {

/// Runs chunks of work on its threads and on the caller. No OpenMP: its teams spin, which costs 5 to 20 times on a
/// shared machine. Workers spin for at most `spin_microseconds`, then sleep.
class WorkerPool {
 public:
  using Work = void (*)(void* argument, int32_t chunk);
  static constexpr int spin_microseconds = 50;

  explicit WorkerPool(int32_t threads);
  ~WorkerPool();

  /// Calls work(argument, i) once for each i in [0, chunks) and returns when all are done. A caller that finds the pool
  /// in use (a nested region, another device) does its chunks alone: which thread runs a chunk never changes its bits.
  void parallel(int32_t chunks, Work work, void* argument);

  int32_t threads() const { return thread_count_.load(std::memory_order_relaxed); }
  /// Waits for the region that runs, if any.
  void set_threads(int32_t threads);

  /// Pins the calling thread where the pool expects its main caller; call it again after `pin_generation` has changed.
  void pin_caller();
  uint32_t pin_generation() const { return pin_generation_.load(std::memory_order_acquire); }

  /// While one lives, regions of this thread run on this thread alone: waking others takes longer than a tiny plan.
  struct Serial {
    Serial();
    ~Serial();
    const bool before;
  };

 private:
  void start(int32_t threads);
  void stop();
  void work_loop(int32_t worker);
  void drain(uint32_t generation);

  // One word (generation | chunks | next) makes taking a chunk a single compare-and-swap. A worker that wakes late sees
  // another generation and touches nothing; so the caller never waits for a sleeper.
  alignas(64) std::atomic<uint64_t> ticket_{0};
  alignas(64) std::atomic<uint32_t> generation_{0};
  alignas(64) std::atomic<int32_t> left_{0};
  std::atomic<int32_t> sleepers_{0};
  Work work_ = nullptr;
  void* argument_ = nullptr;
  int32_t stride_ = 1;  // chunks behind one ticket
  int32_t chunks_ = 0;

  std::mutex region_;  // held while a region runs
  std::atomic<bool> stopping_{false};
  std::atomic<int32_t> thread_count_{1};
  std::atomic<uint32_t> pin_generation_{0};
  std::vector<int> cpus_;  // CPUs this process may use, rotated so that several processes begin at different ones
  std::vector<std::thread> workers_;
};

/// The pool of the process; made on first use, never destroyed. POLLUX_THREADS sets its size.
WorkerPool& worker_pool();

}  // namespace pollux
