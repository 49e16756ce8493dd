// The least time that this machine could take for a workload, as one more program of the benchmark (see serve.ts):
//   fma     as many fused multiply-adds as an mnist-cnn step has (366 million floating-point operations), in registers
//   stream N M  N + 1 reads and N writes for each of M million floats, as an optimizer with N - 1 slots needs (AdamW:
//   3),
//               without arithmetic to speak of
// Compiled for this machine (-O3 -march=native) by floors.ts; runs on as many threads as POLLUX_THREADS says, or all
// CPUs.
#include <sched.h>
#include <sys/mman.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

#ifdef __AVX512F__
constexpr int vector_bytes = 64;
#else
constexpr int vector_bytes = 32;
#endif
typedef float Vector __attribute__((vector_size(vector_bytes)));
constexpr int lanes = vector_bytes / sizeof(float);

int thread_count() {
  const char* wanted = std::getenv("POLLUX_THREADS");
  return wanted ? std::atoi(wanted) : static_cast<int>(std::thread::hardware_concurrency());
}

// A thread a CPU: left to the scheduler, two of them may share one, and the floor would be too high.
void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof set, &set);
}

void on_all_threads(const std::function<void(int, int)>& work) {
  const int count = thread_count();
  std::vector<std::thread> threads;
  // A new thread inherits its parent's CPU: it must not have to wait for a turn on ours.
  for (int i = 1; i < count; i++) {
    pin(i);
    threads.emplace_back(work, i, count);
  }
  pin(0);
  work(0, count);
  for (auto& thread : threads) thread.join();
}

void multiply_add(double operations) {
  on_all_threads([=](int, int count) {
    constexpr int chains = 12;  // enough to hide a latency of four cycles on two ports
    Vector sum[chains];
    for (int i = 0; i < chains; i++) sum[i] = Vector{} + static_cast<float>(i);
    Vector scale = Vector{} + 0.999f, shift = Vector{} + 0.001f;
    asm volatile("" : "+x"(scale), "+x"(shift));
    const auto rounds = static_cast<int64_t>(operations / count / (2 * lanes * chains));
    for (int64_t r = 0; r < rounds; r++)
      for (int i = 0; i < chains; i++) sum[i] = sum[i] * scale + shift;
    for (int i = 0; i < chains; i++) asm volatile("" : : "x"(sum[i]));
  });
}

// Zeroed floats on huge pages, as the CPU twin's own memory is.
std::unique_ptr<float[], decltype(&std::free)> floats(int64_t size) {
  const size_t page = 2 << 20, bytes = (size * sizeof(float) + page - 1) / page * page;
  auto* memory = static_cast<float*>(std::aligned_alloc(page, bytes));
  madvise(memory, bytes, MADV_HUGEPAGE);
  std::memset(memory, 0, bytes);
  return {memory, &std::free};
}

constexpr int most_states = 4;
using Array = decltype(floats(0));

template <int states>
void stream(const std::vector<Array>& arrays, int64_t size) {
  on_all_threads([&](int index, int count) {
    const float* __restrict g = arrays[states].get();
    float* __restrict state[states];
    for (int s = 0; s < states; s++) state[s] = arrays[s].get();
    const int64_t stop = size * (index + 1) / count;
    for (int64_t i = size * index / count; i < stop; i += lanes) {
      const Vector gradient = *reinterpret_cast<const Vector*>(g + i);
      for (int s = 0; s < states; s++) *reinterpret_cast<Vector*>(state[s] + i) += gradient;
    }
  });
}

std::function<void()> stream_of(int states, int64_t size) {
  // Shared: the function outlives this call. Threads begin at whole vectors.
  const auto arrays = std::make_shared<std::vector<Array>>();
  for (int i = 0; i <= states; i++) arrays->push_back(floats(size + lanes));
  constexpr void (*kinds[most_states])(const std::vector<Array>&, int64_t) = {stream<1>, stream<2>, stream<3>,
                                                                              stream<4>};
  const auto run = kinds[states - 1];
  size = size / (lanes * thread_count()) * (lanes * thread_count());
  return [=] { run(*arrays, size); };
}

}  // namespace

int main(int argc, char** argv) {
  const std::string kind = argc > 1 ? argv[1] : "";
  const bool streams = kind == "stream";
  const int states = streams ? std::atoi(argv[2]) : 0;
  if (streams && (states < 1 || states > most_states)) return 1;
  const std::function<void()> step =
      streams ? stream_of(states, std::atoll(argv[3]) * 1'000'000) : [] { multiply_add(366e6); };
  const std::string title =
      streams ? std::to_string(states + 1) + " reads and " + std::to_string(states) + " writes" : "FMA loop";
  std::printf("{\"title\": \"%s on %d threads\"}\n", title.c_str(), thread_count());
  std::fflush(stdout);
  for (int steps; std::scanf("%d", &steps) == 1; std::fflush(stdout)) {
    std::printf("{\"ms\": [");
    for (int i = 0; i < steps; i++) {
      const auto start = std::chrono::steady_clock::now();
      step();
      const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
      std::printf("%s%.6f", i ? ", " : "", took.count());
    }
    std::printf("]}\n");
  }
}
