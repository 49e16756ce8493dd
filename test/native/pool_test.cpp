// The worker pool: each chunk once, on any number of threads, with many callers and while the number changes.
#include <atomic>
#include <thread>

#include "../../native/runtime/worker_pool.h"
#include "check.h"

namespace {

struct Count {
  std::vector<std::atomic<int>> seen;
  explicit Count(size_t chunks) : seen(chunks) {}
  static void add(void* self, int32_t chunk) {
    static_cast<Count*>(self)->seen[static_cast<size_t>(chunk)].fetch_add(1);
  }
  bool each_once() const {
    for (const auto& count : seen)
      if (count != 1) return false;
    return true;
  }
};

void region(pollux::WorkerPool* pool, int32_t chunks) {
  Count count(static_cast<size_t>(chunks));
  pool->parallel(chunks, Count::add, &count);
  CHECK(count.each_once());
}

TEST(runs_each_chunk_once) {
  for (const int32_t threads : {1, 2, 3, 8}) {
    pollux::WorkerPool pool(threads);
    CHECK(pool.threads() == threads);
    for (const int32_t chunks : {0, 1, 2, 3, 7, 64, 1000}) region(&pool, chunks);
    for (int round = 0; round < 2000; ++round) region(&pool, 1 + round % 5);
  }
}

TEST(more_chunks_than_tickets) {
  pollux::WorkerPool pool(2);
  region(&pool, (1 << 20) + 12345);
}

TEST(wakes_sleepers) {
  pollux::WorkerPool pool(3);
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::microseconds(300));
    region(&pool, 16);
  }
}

TEST(regions_of_many_callers_and_nested_ones) {
  pollux::WorkerPool pool(2);
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; ++i)
    callers.emplace_back([&] {
      for (int round = 0; round < 300; ++round) region(&pool, 9);
    });
  for (std::thread& caller : callers) caller.join();
  struct Outer {
    pollux::WorkerPool* pool;
  } outer{&pool};
  pool.parallel(
      4, [](void* argument, int32_t) { region(static_cast<Outer*>(argument)->pool, 5); }, &outer);
}

TEST(threads_change_between_regions) {
  pollux::WorkerPool pool(1);
  std::atomic<bool> stop{false};
  std::thread caller([&] {
    while (!stop) region(&pool, 7);
  });
  for (int round = 0; round < 50; ++round) pool.set_threads(1 + round % 4);
  stop = true;
  caller.join();
}

}  // namespace
