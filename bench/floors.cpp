// The least time that this machine could take for a workload, as one more program of the benchmark (see serve.ts):
//   fma     as many fused multiply-adds as an mnist-cnn step has (366 million floating-point operations), in registers
//   stream  4 reads and 3 writes for each of 50 M floats, as AdamW needs, without arithmetic to speak of
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

struct Arrays {
  static constexpr int64_t size = 50'000'000;
  std::unique_ptr<float[], decltype(&std::free)> p = floats(size), g = floats(size), m = floats(size), v = floats(size);
};

void stream(Arrays& arrays) {
  on_all_threads([&](int index, int count) {
    float* __restrict p = arrays.p.get();
    float* __restrict m = arrays.m.get();
    float* __restrict v = arrays.v.get();
    const float* __restrict g = arrays.g.get();
    const int64_t stop = Arrays::size * (index + 1) / count;
    for (int64_t i = Arrays::size * index / count; i < stop; i++) {
      m[i] += g[i];
      v[i] += g[i];
      p[i] += g[i];
    }
  });
}

}  // namespace

int main(int argc, char** argv) {
  const std::string kind = argc > 1 ? argv[1] : "";
  const auto arrays = kind == "stream" ? std::make_unique<Arrays>() : nullptr;
  const std::function<void()> step =
      arrays ? std::function<void()>([&] { stream(*arrays); }) : [] { multiply_add(366e6); };
  std::printf("{\"title\": \"%s on %d threads\"}\n", kind == "stream" ? "4 reads and 3 writes" : "FMA loop",
              thread_count());
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
