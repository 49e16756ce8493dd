#include "worker_pool.h"

#include <chrono>
#include <cstdlib>
#include <system_error>
#if defined(__linux__)
#include <sched.h>
#include <unistd.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace pollux {
namespace {

constexpr int most_tickets = (1 << 20) - 1;
constexpr int generation_bits = 24;

thread_local bool serial = false;

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

/// Spins until `done` or the time is over; says which. The clock is read seldom: reading it costs as much as 20 looks.
template <typename Done>
bool spin_until(const Done& done) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(WorkerPool::spin_microseconds);
  do {
    for (int look = 0; look < 32; ++look) {
      if (done()) return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() < end);
  return done();
}

#if defined(__linux__)
std::vector<int> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return {};
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  std::vector<int> rotated;
  const auto first = static_cast<size_t>(getpid());
  for (size_t i = 0; i < cpus.size(); ++i) rotated.push_back(cpus[(first + i) % cpus.size()]);
  return rotated;
}

void pin(const int* cpus, size_t count) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (size_t i = 0; i < count; ++i) CPU_SET(cpus[i], &set);
  sched_setaffinity(0, sizeof set, &set);  // a refusal costs speed only
}
#else
std::vector<int> allowed_cpus() {
  return {};
}
void pin(const int*, size_t) {}
#endif

int32_t default_threads(size_t cpus) {
  const char* wanted = std::getenv("POLLUX_THREADS");
  const long number = wanted ? std::strtol(wanted, nullptr, 10) : 0;
  if (number >= 1 && number <= 1024) return static_cast<int32_t>(number);
  if (cpus > 0) return static_cast<int32_t>(cpus);
  const unsigned hardware = std::thread::hardware_concurrency();
  return hardware ? static_cast<int32_t>(hardware) : 1;
}

}  // namespace

WorkerPool::Serial::Serial() : before(serial) {
  serial = true;
}
WorkerPool::Serial::~Serial() {
  serial = before;
}

WorkerPool::WorkerPool(int32_t threads) : cpus_(allowed_cpus()) {
  start(threads > 0 ? threads : default_threads(cpus_.size()));
}

WorkerPool::~WorkerPool() {
  stop();
}

void WorkerPool::start(int32_t threads) {
  stopping_ = false;
  for (int32_t worker = 1; worker < threads; ++worker) {
    try {
      workers_.emplace_back([this, worker] { work_loop(worker); });
    } catch (const std::system_error&) {
      break;  // the machine gives no more threads; those there are do the work
    }
  }
  thread_count_ = static_cast<int32_t>(workers_.size()) + 1;
  pin_generation_.fetch_add(1);
}

void WorkerPool::stop() {
  stopping_ = true;
  generation_.fetch_add(1);
  generation_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
}

void WorkerPool::set_threads(int32_t threads) {
  const std::lock_guard lock(region_);
  if (threads == thread_count_) return;
  stop();
  start(threads);
}

// The scheduler often puts two unpinned threads on one CPU while another idles. The JavaScript thread stays free to
// move.
void WorkerPool::pin_caller() {
  const std::lock_guard lock(region_);
  const auto threads = static_cast<size_t>(thread_count_.load());
  if (threads > 1 && threads <= cpus_.size())
    pin(&cpus_[0], 1);
  else if (!cpus_.empty())
    pin(cpus_.data(), cpus_.size());
}

void WorkerPool::work_loop(int32_t worker) {
  serial = true;  // a region inside a region runs where it is
  const auto index = static_cast<size_t>(worker);
  if (index < cpus_.size()) pin(&cpus_[index], 1);
  uint32_t seen = generation_.load(std::memory_order_acquire);
  drain(seen);
  while (!stopping_.load(std::memory_order_acquire)) {
    const auto moved = [&] { return generation_.load(std::memory_order_acquire) != seen; };
    if (!spin_until(moved)) {
      sleepers_.fetch_add(1, std::memory_order_seq_cst);
      generation_.wait(seen, std::memory_order_seq_cst);
      sleepers_.fetch_sub(1, std::memory_order_relaxed);
    }
    seen = generation_.load(std::memory_order_acquire);
    drain(seen);
  }
}

void WorkerPool::drain(uint32_t generation) {
  const uint64_t wanted = generation & ((1u << generation_bits) - 1);
  uint64_t ticket = ticket_.load(std::memory_order_acquire);
  while (ticket >> 40 == wanted && (ticket & 0xfffff) < (ticket >> 20 & 0xfffff)) {
    if (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel, std::memory_order_acquire))
      continue;
    // Having taken a chunk, this region cannot end before we say so: its fields are ours to read.
    const auto first = static_cast<int32_t>(ticket & 0xfffff) * int64_t{stride_};
    const int64_t end = first + stride_ < chunks_ ? first + stride_ : chunks_;
    for (int64_t chunk = first; chunk < end; ++chunk) work_(argument_, static_cast<int32_t>(chunk));
    if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) left_.notify_all();
    ticket = ticket_.load(std::memory_order_acquire);
  }
}

void WorkerPool::parallel(int32_t chunks, Work work, void* argument) {
  std::unique_lock lock(region_, std::defer_lock);
  if (chunks < 2 || serial || thread_count_.load(std::memory_order_relaxed) < 2 || !lock.try_lock()) {
    for (int32_t chunk = 0; chunk < chunks; ++chunk) work(argument, chunk);
    return;
  }
  work_ = work;
  argument_ = argument;
  chunks_ = chunks;
  stride_ = chunks / most_tickets + 1;
  const int32_t tickets = (chunks + stride_ - 1) / stride_;
  left_.store(tickets, std::memory_order_relaxed);
  const uint32_t generation = generation_.load(std::memory_order_relaxed) + 1;
  const uint64_t tag = generation & ((1u << generation_bits) - 1);
  ticket_.store(tag << 40 | static_cast<uint64_t>(tickets) << 20, std::memory_order_release);
  generation_.store(generation, std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst) > 0) generation_.notify_all();
  serial = true;
  drain(generation);
  serial = false;
  const auto done = [&] { return left_.load(std::memory_order_acquire) == 0; };
  if (!spin_until(done))
    for (int32_t left; (left = left_.load(std::memory_order_acquire)) != 0;)
      left_.wait(left, std::memory_order_acquire);
}

WorkerPool& worker_pool() {
  static WorkerPool* pool = new WorkerPool(0);  // leaked on purpose: threads may run until the process is gone
  return *pool;
}

}  // namespace pollux
