#include "executor.h"

#include <chrono>
#include <new>
#include <thread>

#include "worker_pool.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace pollux {

void Client::fail_group(uint32_t group) {
  if (group == 0) return;
  const std::lock_guard lock(mutex_);
  failed_.insert(group);
}

bool Client::group_failed(uint32_t group) const {
  if (group == 0) return false;
  const std::lock_guard lock(mutex_);
  return failed_.contains(group);
}

void Client::acknowledge(uint32_t group) {
  const std::lock_guard lock(mutex_);
  failed_.erase(group);
}

bool Job::conflicts_with(const Job& other) const {
  if (sequence() && sequence() == other.sequence()) return true;
  if (group && group == other.group && client == other.client) return true;
  for (const Access& mine : accesses)
    for (const Access& theirs : other.accesses)
      if (mine.buffer == theirs.buffer && (mine.writes || theirs.writes)) return true;
  return false;
}

namespace {

void execute(Job* job, bool nested) {
  try {
    job->execute(nested);
  } catch (const std::bad_alloc&) {
    job->error = "OUT_OF_MEMORY";
    job->message = "The host has no memory left for the bookkeeping of this call.";
  }
}

}  // namespace

void Executor::finish(std::unique_ptr<Job> job) {
  const std::shared_ptr<Client> client = job->client;
  if (client && !client->closed() && !job->hand_on()) client->completed(std::move(job));
}

void Executor::submit(std::unique_ptr<Job> job) {
  bool wake;
  {
    const std::lock_guard lock(mutex_);
    if (!started_) {
      std::thread([this] { loop(); }).detach();
      started_ = true;
    }
    Lane* lane = nullptr;
    for (Lane& candidate : lanes_)
      if (candidate.client == job->client) lane = &candidate;
    if (!lane) lane = &lanes_.emplace_back(Lane{job->client, {}});
    lane->jobs.push_back(std::move(job));
    queued_.fetch_add(1, std::memory_order_release);
    wake = sleeping_;
  }
  if (wake) wake_.notify_one();
}

void Executor::drop_empty_lane(size_t index) {
  if (!lanes_[index].jobs.empty()) return;
  lanes_.erase(lanes_.begin() + static_cast<std::ptrdiff_t>(index));
  if (turn_ > index) --turn_;
}

/// The first job of the lane whose turn it is.
std::unique_ptr<Job> Executor::take() {
  if (lanes_.empty()) return nullptr;
  turn_ %= lanes_.size();
  const size_t index = turn_++;
  std::unique_ptr<Job> job = std::move(lanes_[index].jobs.front());
  lanes_[index].jobs.erase(lanes_[index].jobs.begin());
  drop_empty_lane(index);
  queued_.fetch_sub(1, std::memory_order_relaxed);
  return job;
}

std::unique_ptr<Job> Executor::take_short(const Job& running) {
  constexpr size_t depth = 4;  // how far into a lane it is worth looking
  for (size_t index = 0; index < lanes_.size(); ++index) {
    auto& jobs = lanes_[index].jobs;
    for (size_t i = 0; i < jobs.size() && i < depth; ++i) {
      if (!jobs[i]->is_short() || jobs[i]->conflicts_with(running)) continue;
      bool free = true;
      for (size_t earlier = 0; earlier < i && free; ++earlier) free = !jobs[i]->conflicts_with(*jobs[earlier]);
      if (!free) continue;
      std::unique_ptr<Job> job = std::move(jobs[i]);
      jobs.erase(jobs.begin() + static_cast<std::ptrdiff_t>(i));
      drop_empty_lane(index);
      queued_.fetch_sub(1, std::memory_order_relaxed);
      return job;
    }
  }
  return nullptr;
}

void Executor::between_steps(const Job& running) {
  if (queued_.load(std::memory_order_acquire) == 0) return;
  std::unique_ptr<Job> job;
  {
    const std::lock_guard lock(mutex_);
    job = take_short(running);
    if (!job) return;
    running_[1] = job->client.get();
  }
  execute(job.get(), true);
  finish(std::move(job));
  {
    const std::lock_guard lock(mutex_);
    running_[1] = nullptr;
  }
  idle_.notify_all();
}

bool Executor::try_inline(Job* job) {
  {
    const std::lock_guard lock(mutex_);
    if (busy_ || !lanes_.empty()) return false;
    busy_ = true;
    running_[0] = job->client.get();
  }
  {
    const WorkerPool::Serial serial;
    execute(job, false);
  }
  {
    const std::lock_guard lock(mutex_);
    busy_ = false;
    running_[0] = nullptr;
  }
  wake_.notify_one();
  idle_.notify_all();
  return true;
}

void Executor::forget(Client* client) {
  std::vector<std::unique_ptr<Job>> dropped;  // destroyed after the lock is given back
  std::unique_lock lock(mutex_);
  for (size_t index = 0; index < lanes_.size(); ++index) {
    if (lanes_[index].client.get() != client) continue;
    dropped = std::move(lanes_[index].jobs);
    lanes_[index].jobs.clear();
    queued_.fetch_sub(static_cast<int32_t>(dropped.size()), std::memory_order_relaxed);
    drop_empty_lane(index);
    break;
  }
  idle_.wait(lock, [&] { return running_[0] != client && running_[1] != client; });
}

void Executor::loop() {
  uint32_t pinned_at = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    std::unique_ptr<Job> job = busy_ ? nullptr : take();
    if (!job) {
      // The next step of a training loop comes within microseconds: waking a sleeper would cost it 20.
      lock.unlock();
      const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(WorkerPool::spin_microseconds);
      while (queued_.load(std::memory_order_acquire) == 0 && std::chrono::steady_clock::now() < end) {
#if defined(__x86_64__)
        _mm_pause();
#endif
      }
      lock.lock();
      sleeping_ = true;
      wake_.wait(lock, [&] { return !busy_ && !lanes_.empty(); });
      sleeping_ = false;
      continue;
    }
    busy_ = true;
    running_[0] = job->client.get();
    lock.unlock();
    if (pinned_ && worker_pool().pin_generation() != pinned_at) {
      pinned_at = worker_pool().pin_generation();
      worker_pool().pin_caller();
    }
    execute(job.get(), false);
    finish(std::move(job));
    lock.lock();
    busy_ = false;
    running_[0] = nullptr;
    idle_.notify_all();
  }
}

}  // namespace pollux
