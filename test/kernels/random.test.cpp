// Random numbers against a plain Philox4x32-10 and the vectors published with it.
#include <cstring>

#include "check.h"

using namespace check;

struct Words {
  uint32_t w[4];
};

static Words philox(Words counter, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p = uint64_t(0xD2511F53u) * counter.w[0], q = uint64_t(0xCD9E8D57u) * counter.w[2];
    counter = {
        {uint32_t(q >> 32) ^ counter.w[1] ^ key0, uint32_t(q), uint32_t(p >> 32) ^ counter.w[3] ^ key1, uint32_t(p)}};
    key0 += 0x9E3779B9u, key1 += 0xBB67AE85u;
  }
  return counter;
}

static Words words_of(uint64_t element, uint64_t seed, uint64_t step, uint32_t stream) {
  const uint64_t counter = element / 4;
  return philox({{uint32_t(counter), uint32_t(counter >> 32), uint32_t(step), uint32_t(step >> 32)}},
                uint32_t(seed) ^ uint32_t(seed >> 32) * 0x9E3779B9u, stream);
}

static double uniform_of(uint32_t word) {
  return double(word >> 8) / 16777216.0;
}

TEST(random_reference_matches_the_published_vectors) {
  const Words zeros = philox({{0, 0, 0, 0}}, 0, 0);
  CHECK(zeros.w[0] == 0x6627e8d5 && zeros.w[1] == 0xe169c58d && zeros.w[2] == 0xbc57ac4c && zeros.w[3] == 0x9b00dbd8);
  const Words pi = philox({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0);
  CHECK(pi.w[0] == 0xd16cfe09 && pi.w[1] == 0x94fdcceb && pi.w[2] == 0x5001e420 && pi.w[3] == 0x24126ea1);
}

TEST(random_draws_follow_the_contract) {
  struct {
    int64_t seed, step, first;
    uint32_t stream;
  } states[] = {{0, 0, 0, 0},
                {42, 7, 0, 123456},
                {int64_t(0x123456789abcdef0), int64_t(1) << 40, 3, 0xffffffffu},
                {-1, 5, (int64_t(1) << 35) + 1, 1}};
  for (const auto& s : states) {
    for (int64_t n : {0, 1, 3, 64, 65, 1031, 40000}) {
      Array state(POLLUX_INT64, {3}), u(POLLUX_FLOAT32, {n}), g(POLLUX_FLOAT32, {n}), x(POLLUX_FLOAT32, {n}),
          y(POLLUX_FLOAT32, {n});
      state.set_integer(0, s.seed), state.set_integer(1, s.step), state.set_integer(2, s.first);
      run({"uniform", {&state}, {&u}, {{"stream", double(s.stream)}}});
      run({"normal", {&state}, {&g}, {{"stream", double(s.stream)}}});
      x.fill([](int64_t i) { return double(i % 7) - 3; });
      run({"dropout", {&x, &state}, {&y}, {{"rate", 0.3}, {"stream", double(s.stream)}}});
      std::vector<double> uniform, normal, dropped;
      for (int64_t i = 0; i < n; ++i) {
        const uint64_t e = uint64_t(s.first + i);
        const Words w = words_of(e, uint64_t(s.seed), uint64_t(s.step), s.stream);
        uniform.push_back(uniform_of(w.w[e % 4]));
        const double radius = std::sqrt(-2 * std::log(1 - uniform_of(w.w[e % 4 & 2]))),
                     angle = 2 * M_PI * uniform_of(w.w[(e % 4 & 2) + 1]);
        normal.push_back(radius * (e % 2 ? std::sin(angle) : std::cos(angle)));
        dropped.push_back(float(uniform.back()) >= 0.3f ? double(float(x.get(i)) * float(1 / (1 - 0.3))) : 0);
      }
      COMPARE(u, uniform, 0, 0);
      COMPARE(g, normal, 5e-7, 3e-6);  // the angle is rounded to float: 2 pi 2^-24 times the radius
      COMPARE(y, dropped, 0, 0);
      run({"dropout", {&x, &state}, {&x}, {{"rate", 0.3}, {"stream", double(s.stream)}}});  // over its input
      COMPARE(x, dropped, 0, 0);
    }
  }
}

TEST(random_moments) {
  const int64_t n = 1 << 20;
  Array state(POLLUX_INT64, {3}), g(POLLUX_FLOAT32, {n});
  state.set_integer(0, 1), state.set_integer(1, 0), state.set_integer(2, 0);
  run({"normal", {&state}, {&g}, {{"stream", 5.0}}});
  double sum = 0, squares = 0, fourth = 0;
  for (double v : g.values()) sum += v, squares += v * v, fourth += v * v * v * v;
  // Five standard errors of each moment.
  CHECK(std::fabs(sum / double(n)) < 5e-3 && std::fabs(squares / double(n) - 1) < 7e-3 &&
        std::fabs(fourth / double(n) - 3) < 5e-2);
}

TEST(bench_random) {
  const int64_t n = 4 << 20;
  Array state(POLLUX_INT64, {3}), x(POLLUX_FLOAT32, {n}), y(POLLUX_FLOAT32, {n});
  for (int i = 0; i < 3; ++i) state.set_integer(i, 0);
  std::memset(x.data(), 0, size_t(n) * 4);
  std::memset(y.data(), 0, size_t(n) * 4);
  Runner u({"uniform", {&state}, {&y}, {{"stream", 1.0}}}), g({"normal", {&state}, {&y}, {{"stream", 1.0}}}),
      d({"dropout", {&x, &state}, {&y}, {{"rate", 0.5}, {"stream", 1.0}}});
  std::printf("million numbers a second: uniform %.0f, normal %.0f, dropout %.0f\n",
              double(n) / fastest([&] { u(); }) / 1e6, double(n) / fastest([&] { g(); }) / 1e6,
              double(n) / fastest([&] { d(); }) / 1e6);
}
