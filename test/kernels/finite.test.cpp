// checkFinite: the first offending element, whatever the threads, and nothing where all is finite.
#include <limits>

#include "check.h"

using namespace check;

TEST(finite_leaves_finite_numbers_alone) {
  Random random;
  for (int64_t n : {0, 1, 7, 64, 4095, 4097, 100003, 1000003}) {
    Array x(POLLUX_FLOAT32, {n}), y(POLLUX_FLOAT32, {n});
    x.randomize(random, -3e38, 3e38);
    if (n > 3) x.set(n / 2, std::numeric_limits<float>::max()), x.set(n / 3, -std::numeric_limits<float>::max());
    CHECK(run({"checkFinite", {&x}, {&y}}).code == POLLUX_OK);
    COMPARE(y, x.values(), 0, 0);
    CHECK(run({"checkFinite", {&x}, {&x}}).code == POLLUX_OK);
  }
}

TEST(finite_names_the_first_offender) {
  Random random;
  const double bad[] = {NAN, INFINITY, -INFINITY};
  for (int64_t n : {1, 5, 33, 4096, 70001, 1000003})
    for (int attempt = 0; attempt < 6; ++attempt) {
      Array x(POLLUX_FLOAT32, {n}), y(POLLUX_FLOAT32, {n});
      x.randomize(random);
      int64_t first = n;
      for (int k = 0; k <= attempt; ++k) {
        const int64_t at = attempt == 0 ? n - 1 : random.below(n);
        x.set(at, bad[(attempt + k) % 3]);
        first = std::min(first, at);
      }
      const PolluxStatus status = run({"checkFinite", {&x}, {&x}});
      CHECK(status.code == POLLUX_NOT_FINITE);
      CHECK(status.element == first);
      CHECK(status.step == 7);
      CHECK(run({"checkFinite", {&x}, {&y}}).element == first);
      COMPARE(y, x.values(), 0, 0);
    }
}

TEST(bench_finite) {
  const int64_t n = 50'000'000;
  std::vector<float> memory(size_t(n), 1.0f);
  Array x(POLLUX_FLOAT32, {n});
  std::memcpy(x.data(), memory.data(), size_t(n) * 4);
  Runner check({"checkFinite", {&x}, {&x}});
  const float* from = static_cast<const float*>(x.data());
  const double once = fastest([&] { check(1); }), twice = fastest([&] { check(2); });
  volatile float sink = 0;
  const double raw = fastest([&] {
    float sums[64] = {};
    for (int64_t i = 0; i + 64 <= n; i += 64)
      for (int k = 0; k < 64; ++k) sums[k] += from[i + k];
    sink = sums[0] + sums[63];
  });
  std::printf("checkFinite, 200 MB, GB/s: %.1f on 1 thread, %.1f on 2; a plain sum on 1 thread %.1f\n",
              4e-9 * double(n) / once, 4e-9 * double(n) / twice, 4e-9 * double(n) / raw);
}
