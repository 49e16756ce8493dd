// Executor and runs, on the toy twin and on the asynchronous one: order, abort, groups, failures, closing in mid-run.
#include "../../native/runtime/run.h"

#include <cmath>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "../../native/runtime/files.h"
#include "../../native/runtime/worker_pool.h"
#include "check.h"
#include "wire_writer.h"

namespace {

using namespace pollux;

class Collector : public Client {
 public:
  void completed(std::unique_ptr<Job> job) override {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    arrived_.notify_all();
  }
  std::unique_ptr<Job> next() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [&] { return !jobs_.empty(); });
    auto job = std::move(jobs_.front());
    jobs_.erase(jobs_.begin());
    return job;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<std::unique_ptr<Job>> jobs_;
};

Device* device(const char* name) {
  std::string error;
  Device* opened = Device::open(TWINS, name, &error);
  if (!opened) std::printf("%s\n", error.c_str());
  return opened;
}

/// state += x, and y = state; a non-finite x fails the run. `sleeps` steps of a millisecond come first.
std::shared_ptr<LoadedPlan> accumulate(Device* on, uint64_t elements, int sleeps = 0) {
  WireWriter writer;
  const uint32_t x = writer.binding(elements, false), state = writer.binding(elements, true);
  const uint32_t sum = writer.temporary(elements), other = writer.temporary(elements), y = writer.result(elements);
  for (int i = 0; i < sleeps; ++i) writer.step("sleep", {x}, {other});
  writer.step("add", {x, state}, {sum});
  writer.step("check", {sum}, {sum});
  writer.step("add", {x, state}, {y});
  writer.step("add", {x, state}, {state}, true);
  const auto wire = writer.finish();
  std::string error;
  auto plan = Plan::read(wire.data(), wire.size(), &error);
  CHECK(plan);
  return std::make_shared<LoadedPlan>(on, std::move(plan));
}

std::unique_ptr<RunJob> make_run(const std::shared_ptr<Collector>& client, const std::shared_ptr<LoadedPlan>& plan,
                                 const std::shared_ptr<Buffer>& state, const std::vector<float>& x) {
  std::vector<BindingSource> sources(2);
  sources[0].borrowed = x.data();
  sources[1].buffer = state;
  StagingSlot* slot = plan->take_slot();
  CHECK(slot);
  auto job = std::make_unique<RunJob>(plan, std::move(sources), slot);
  job->client = client;
  return job;
}

std::shared_ptr<Buffer> zeros(const std::shared_ptr<Collector>& client, Device* on, uint64_t elements) {
  auto buffer = Buffer::allocate(on, elements * 4);
  auto job = std::make_unique<ZeroJob>(buffer);
  job->client = client;
  on->executor().submit(std::move(job));
  client->next();
  return buffer;
}

std::vector<float> contents(const std::shared_ptr<Collector>& client, const std::shared_ptr<Buffer>& buffer) {
  std::vector<float> values(buffer->bytes / 4);
  auto job = std::make_unique<ReadJob>(buffer, values.data());
  job->client = client;
  buffer->device->executor().submit(std::move(job));
  const auto done = client->next();
  CHECK(!done->error);
  return values;
}

void runs_in_order(const char* name) {
  Device* on = device(name);
  const auto client = std::make_shared<Collector>();
  constexpr uint64_t elements = 1500;
  const auto plan = accumulate(on, elements);
  const auto state = zeros(client, on, elements);
  for (int round = 1; round <= 50; ++round) {
    const std::vector<float> x(elements, static_cast<float>(round));
    on->executor().submit(make_run(client, plan, state, x));
    const auto job = client->next();
    CHECK(!job->error && job->as_run()->outcome == Outcome::done);
    CHECK(contents(client, job->as_run()->results[0].buffer)[1499] == static_cast<float>(round * (round + 1) / 2));
  }
  CHECK(contents(client, state)[0] == 1275);
}

TEST(toy_runs_in_order) {
  runs_in_order("cpu");
}
TEST(async_runs_in_order) {
  runs_in_order("async");
}

void failure_skips_the_group(const char* name) {
  Device* on = device(name);
  const auto client = std::make_shared<Collector>();
  const auto plan = accumulate(on, 10, 2);
  const auto state = zeros(client, on, 10);
  const std::vector<float> bad(10, INFINITY), good(10, 1);
  for (const auto* x : {&bad, &good}) {
    auto job = make_run(client, plan, state, *x);
    job->group = 3;
    on->executor().submit(std::move(job));
  }
  {
    const auto failed = client->next();
    CHECK(failed->as_run()->outcome == Outcome::failed && failed->as_run()->status.code == POLLUX_NOT_FINITE);
    CHECK(failed->as_run()->status.step == 3 && failed->as_run()->inputs[0]->size() == 40);
  }
  CHECK(client->next()->as_run()->outcome == Outcome::skipped);
  client->acknowledge(3);
  auto job = make_run(client, plan, state, good);
  job->group = 3;
  on->executor().submit(std::move(job));
  CHECK(client->next()->as_run()->outcome == Outcome::done);
  CHECK(contents(client, state)[9] == 1);
}

TEST(toy_failure_skips_the_group) {
  failure_skips_the_group("cpu");
}
TEST(async_failure_skips_the_group) {
  failure_skips_the_group("async");
}

/// carry += xs[i] in each of `length` iterations, and ys[i] = carry; a status word that is set ends it.
std::shared_ptr<LoadedPlan> running_sum(Device* on, uint64_t length, int sleeps = 0) {
  WireWriter writer;
  const uint32_t xs = writer.binding(length, false);
  writer.binding(1, true);
  const uint32_t init = writer.binding(1, false), a = writer.temporary(1), b = writer.temporary(1);
  const uint32_t other = writer.temporary(1), ys = writer.result(length);
  const uint32_t loop = writer.loop(length, 3 + static_cast<uint32_t>(sleeps));
  const uint32_t x = writer.moving(loop, wire::no_index, xs, xs, 4, 1);
  const uint32_t before = writer.moving(loop, init, a, b, 0, 1),
                 after = writer.moving(loop, wire::no_index, b, a, 0, 1);
  for (int i = 0; i < sleeps; ++i) writer.step("sleep", {x}, {other});
  writer.step("add", {before, x}, {after});
  writer.step("check", {after}, {after});
  writer.step("add", {before, x}, {writer.moving(loop, wire::no_index, ys, ys, 4, 1)});
  const auto wire = writer.finish();
  std::string error;
  auto plan = Plan::read(wire.data(), wire.size(), &error);
  if (!plan) std::printf("%s\n", error.c_str());
  CHECK(plan);
  return std::make_shared<LoadedPlan>(on, std::move(plan));
}

std::unique_ptr<RunJob> sum_run(const std::shared_ptr<Collector>& client, const std::shared_ptr<LoadedPlan>& plan,
                                const std::shared_ptr<Buffer>& state, const std::vector<float>& x,
                                const std::vector<float>& init) {
  std::vector<BindingSource> sources(3);
  sources[0].borrowed = x.data();
  sources[1].buffer = state;
  sources[2].borrowed = init.data();
  StagingSlot* slot = plan->take_slot();
  CHECK(slot);
  auto job = std::make_unique<RunJob>(plan, std::move(sources), slot);
  job->client = client;
  return job;
}

TEST(loops_run) {
  for (const char* name : {"cpu", "async"}) {
    Device* on = device(name);
    const auto client = std::make_shared<Collector>();
    const auto state = zeros(client, on, 1);
    for (const uint64_t length : {1, 2, 5, 1000}) {
      const auto plan = running_sum(on, length);
      std::vector<float> x(length, 2);
      const std::vector<float> init(1, 10);
      auto run = sum_run(client, plan, state, x, init);
      run->profile = true;
      on->executor().submit(std::move(run));
      const auto done = client->next();
      CHECK(!done->error && done->as_run()->outcome == Outcome::done);
      CHECK(done->as_run()->step_nanoseconds.size() == 4);
      const RunOutput& output = done->as_run()->results[0];
      std::vector<float> values(length);
      if (output.buffer)
        values = contents(client, output.buffer);
      else
        std::memcpy(values.data(), output.bytes.data(), length * 4);
      for (uint64_t i = 0; i < length; ++i) CHECK(values[i] == 10 + 2 * static_cast<float>(i + 1));
      x[length / 2] = INFINITY;
      on->executor().submit(sum_run(client, plan, state, x, init));
      const auto failed = client->next();
      CHECK(failed->as_run()->outcome == Outcome::failed && failed->as_run()->status.step == 2);
    }
  }
}

TEST(abort_ends_a_loop) {
  Device* on = device("cpu");
  const auto client = std::make_shared<Collector>();
  const auto plan = running_sum(on, 100000, 1);
  const std::vector<float> x(100000, 1), init(1, 0);
  auto job = sum_run(client, plan, zeros(client, on, 1), x, init);
  const auto cancelled = job->cancelled;
  on->executor().submit(std::move(job));
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  cancelled->store(true);
  CHECK(client->next()->as_run()->outcome == Outcome::aborted);
}

TEST(abort_leaves_state_untouched) {
  Device* on = device("cpu");
  const auto client = std::make_shared<Collector>();
  const auto plan = accumulate(on, 10, 200);
  const auto state = zeros(client, on, 10);
  const std::vector<float> x(10, 1);
  auto job = make_run(client, plan, state, x);
  const auto cancelled = job->cancelled;
  on->executor().submit(std::move(job));
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  cancelled->store(true);
  CHECK(client->next()->as_run()->outcome == Outcome::aborted);
  CHECK(contents(client, state)[0] == 0);
}

TEST(closing_a_client_drops_its_work_and_waits) {
  for (const char* name : {"cpu", "async"}) {
    Device* on = device(name);
    for (int round = 0; round < 5; ++round) {
      const auto client = std::make_shared<Collector>();
      const auto plan = accumulate(on, 10, 100);
      const auto state = zeros(client, on, 10);
      {
        const std::vector<float> x(10, 1);  // gone when forget() has returned: nothing may read it any more
        for (int i = 0; i < 2; ++i) on->executor().submit(make_run(client, plan, state, x));
        std::this_thread::sleep_for(std::chrono::milliseconds(round));
        client->close();
        on->executor().forget(client.get());
      }
    }
  }
}

TEST(short_runs_overtake_long_ones_that_they_share_nothing_with) {
  Device* on = device("cpu");
  const auto client = std::make_shared<Collector>();
  const auto slow = accumulate(on, 10, 300), quick = accumulate(on, 10);
  const auto slow_state = zeros(client, on, 10), quick_state = zeros(client, on, 10);
  const std::vector<float> x(10, 1);
  on->executor().submit(make_run(client, slow, slow_state, x));
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  on->executor().submit(make_run(client, quick, quick_state, x));
  const auto first = client->next();
  CHECK(&first->as_run()->plan() == quick.get());
  auto same_state = make_run(client, quick, slow_state, x);  // shares state: must wait
  on->executor().submit(std::move(same_state));
  CHECK(&client->next()->as_run()->plan() == slow.get());
  CHECK(&client->next()->as_run()->plan() == quick.get());
  CHECK(contents(client, slow_state)[0] == 2);
}

TEST(clients_on_many_threads) {
  Device* on = device("cpu");
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      const auto client = std::make_shared<Collector>();
      const auto plan = accumulate(on, 2000);
      const auto state = zeros(client, on, 2000);
      const std::vector<float> x(2000, 1);
      for (int i = 0; i < 100; ++i) {
        auto job = make_run(client, plan, state, x);
        if (i % 2 && on->executor().try_inline(job.get())) continue;
        on->executor().submit(std::move(job));
        client->next();
      }
      CHECK(contents(client, state)[1999] == 100);
    });
  for (std::thread& thread : threads) thread.join();
}

TEST(out_of_memory_is_an_outcome) {
  Device* on = device("cpu");
  const auto client = std::make_shared<Collector>();
  WireWriter writer;
  writer.arena_bytes = uint64_t{1} << 46;
  const uint32_t x = writer.binding(1, false);
  writer.binding(1, true);
  writer.step("increment", {x}, {writer.result(1)});
  const auto wire = writer.finish();
  std::string error;
  auto plan = std::make_shared<LoadedPlan>(on, Plan::read(wire.data(), wire.size(), &error));
  const std::vector<float> host(1, 1);
  on->executor().submit(make_run(client, plan, zeros(client, on, 1), host));
  CHECK(std::strcmp(client->next()->error, "OUT_OF_MEMORY") == 0);
}

TEST(all_memory_comes_back) {
  for (const char* name : {"cpu", "async"}) {
    Device* on = device(name);
    const auto client = std::make_shared<Collector>();
    zeros(client, on, 1);  // behind the clean-up of the plans of earlier tests
    const auto plan_was_there = [&] { return accumulate(on, 100000); };
    { const auto plan = plan_was_there(); }
    zeros(client, on, 1);
    zeros(client, on, 1);
    CHECK(on->live_bytes() == 0);
  }
}

TEST(missing_twins_say_why) {
  std::string error;
  CHECK(!Device::open("/nowhere", "cuda", &error));
  CHECK(error.find("libpollux_cuda.so") != std::string::npos);
  CHECK(!Device::open("/nowhere", "../../etc", &error));
  CHECK(!Device::open(TWINS, "cpu:x", &error));
  CHECK(!Device::open(TWINS, "cpu:7", &error));
}

}  // namespace
