// Elementwise programs over layouts, tiles, several outputs, and in place.
#include <cstring>
#include <limits>

#include "program.h"

using namespace check;

static const double infinity = std::numeric_limits<double>::infinity();

// ---- layouts -----------------------------------------------------------------------------------------------------

TEST(elementwise_over_layouts) {
  const std::vector<std::vector<int64_t>> shapes = {
      {}, {0}, {1}, {7}, {2, 0, 3}, {5, 3}, {130, 10}, {3, 1031}, {2, 3, 5, 7}, {17, 33, 9}, {4096, 1}, {3, 2500}};
  for (const auto& shape : shapes) {
    const int rank = int(shape.size());
    std::vector<int> reversed, all, last, first;
    for (int i = 0; i < rank; ++i) reversed.push_back(rank - 1 - i), all.push_back(i);
    if (rank) last = {rank - 1}, first = {0};
    std::vector<Array> inputs = {Array(POLLUX_FLOAT32, shape),
                                 Array(POLLUX_FLOAT32, shape, reversed),
                                 Array(POLLUX_FLOAT32, shape, {}, 3),
                                 Array(POLLUX_FLOAT32, shape, {}, 1, last),
                                 Array(POLLUX_FLOAT32, shape, reversed, 2, all),
                                 Array::broadcast(POLLUX_FLOAT32, shape, first),
                                 Array::broadcast(POLLUX_FLOAT32, shape, last),
                                 Array::broadcast(POLLUX_FLOAT32, shape, all)};
    std::vector<Array> outputs = {Array(POLLUX_FLOAT32, shape), Array(POLLUX_FLOAT32, shape, reversed),
                                  Array(POLLUX_FLOAT32, shape, {}, 2, last)};
    Random random;
    for (Array& a : inputs) a.randomize(random);
    for (Array& a : inputs) {
      for (Array& b : inputs) {
        for (Array& y : outputs) {
          program({&a, &b}, {&y},
                  {instruction("sub", POLLUX_FLOAT32, {0, 1}), instruction("mul", POLLUX_FLOAT32, {2, 0})}, {3});
          std::vector<double> expected;
          for (int64_t i = 0; i < y.count(); ++i)
            expected.push_back(double((float(a.get(i)) - float(b.get(i))) * float(a.get(i))));
          COMPARE(y, expected, 0, 0);
        }
      }
    }
  }
}

TEST(elementwise_with_several_outputs_and_constants) {
  const int64_t n = 5003;
  Random random;
  Array x(POLLUX_FLOAT32, {n}), b = Array::broadcast(POLLUX_FLOAT32, {n}, {0});
  x.randomize(random);
  b.set(0, 0.25);
  Array sum(POLLUX_FLOAT32, {n}), positive(POLLUX_BOOL, {n}), whole(POLLUX_INT64, {n}), same(POLLUX_FLOAT32, {n}),
      filled(POLLUX_FLOAT16, {n});
  program({&x, &b}, {&sum, &positive, &whole, &same, &filled},
          {instruction("add", POLLUX_FLOAT32, {0, 1}), instruction("constant", POLLUX_FLOAT32, {}, 100),
           instruction("mul", POLLUX_FLOAT32, {2, 3}), instruction("constant", POLLUX_FLOAT32, {}, -infinity),
           instruction("greater", POLLUX_BOOL, {2, 5}), instruction("cast", POLLUX_INT64, {4}),
           instruction("constant", POLLUX_FLOAT16, {}, 1.5)},
          {2, 6, 7, 0, 8});
  std::vector<double> s, p, w, f;
  for (int64_t i = 0; i < n; ++i) {
    const float v = float(x.get(i)) + 0.25f;
    s.push_back(double(v)), p.push_back(1), w.push_back(double(int64_t(v * 100.0f))), f.push_back(1.5);
  }
  COMPARE(sum, s, 0, 0);
  COMPARE(positive, p, 0, 0);
  COMPARE(whole, w, 0, 0);
  COMPARE(same, x.values(), 0, 0);
  COMPARE(filled, f, 0, 0);
}

TEST(elementwise_in_place) {
  const int64_t n = 70001;
  Random random;
  Array x(POLLUX_FLOAT32, {n}), other(POLLUX_FLOAT32, {n}), difference(POLLUX_FLOAT32, {n});
  x.randomize(random);
  other.randomize(random);
  const std::vector<double> a = x.values(), b = other.values();
  // The first output lies over x, which the second value reads again.
  program({&x, &other}, {&x, &difference},
          {instruction("add", POLLUX_FLOAT32, {0, 1}), instruction("sub", POLLUX_FLOAT32, {0, 1})}, {2, 3});
  std::vector<double> sum, rest;
  for (int64_t i = 0; i < n; ++i)
    sum.push_back(double(float(a[size_t(i)]) + float(b[size_t(i)]))),
        rest.push_back(double(float(a[size_t(i)]) - float(b[size_t(i)])));
  COMPARE(x, sum, 0, 0);
  COMPARE(difference, rest, 0, 0);
  // Two values change places.
  const std::vector<double> before = x.values();
  program({&x, &difference}, {&x, &difference}, {}, {1, 0});
  COMPARE(x, rest, 0, 0);
  COMPARE(difference, before, 0, 0);
  // Every function over its own input.
  for (const char* op : {"neg", "exp", "sin", "relu", "square"}) {
    Array y(POLLUX_FLOAT32, {n});
    program({&other}, {&y}, {instruction(op, POLLUX_FLOAT32, {0})}, {1});
    const std::vector<double> expected = y.values();
    program({&other}, {&other}, {instruction(op, POLLUX_FLOAT32, {0})}, {1});
    COMPARE(other, expected, 0, 0);
    other.randomize(random);
  }
}

// More values alive at once than the stack holds registers for: the tiles then lie in scratch.
TEST(elementwise_with_many_live_values) {
  const int64_t n = 9001;
  const int count = 40;
  Random random;
  Array x(POLLUX_FLOAT32, {n}), y(POLLUX_FLOAT32, {n});
  x.randomize(random);
  std::vector<PolluxInstruction> list;
  for (int i = 0; i < count; ++i) list.push_back(instruction("add", POLLUX_FLOAT32, {0, i}));
  int32_t total = 1;
  for (int i = 1; i < count; ++i) {
    list.push_back(instruction("maximum", POLLUX_FLOAT32, {total, int32_t(1 + (i * 7) % count)}));
    total = int32_t(list.size());
  }
  program({&x}, {&y}, list, {total});
  std::vector<double> expected;
  for (int64_t i = 0; i < n; ++i) {
    std::vector<float> values = {float(x.get(i))};
    for (int k = 0; k < count; ++k) values.push_back(values[0] + values[size_t(k)]);
    float best = values[1];
    for (int k = 1; k < count; ++k) best = std::max(best, values[size_t(1 + (k * 7) % count)]);
    expected.push_back(double(best));
  }
  COMPARE(y, expected, 0, 0);
}

// ---- speed -------------------------------------------------------------------------------------------------------

TEST(bench_elementwise) {
  const int64_t n = 16 << 20;
  Array a(POLLUX_FLOAT32, {n}), b(POLLUX_FLOAT32, {n}), y(POLLUX_FLOAT32, {n});
  Array x(POLLUX_FLOAT32, {n / 512, 512}), bias = Array::broadcast(POLLUX_FLOAT32, {n / 512, 512}, {0}),
                                           mean = Array::broadcast(POLLUX_FLOAT32, {n / 512, 512}, {1}),
                                           z(POLLUX_FLOAT32, {n / 512, 512});
  Array narrow = Array::broadcast(POLLUX_FLOAT32, {n / 32, 32}, {0}), channels(POLLUX_FLOAT32, {n / 32, 32}),
        result(POLLUX_FLOAT32, {n / 32, 32});
  for (Array* p : {&a, &b, &y, &x, &z, &channels, &result}) std::memset(p->data(), 0, size_t(n) * 4);
  const int F = POLLUX_FLOAT32;
  Runner chain({"elementwise",
                {&a, &b},
                {&y},
                {},
                {instruction("add", F, {0, 1}), instruction("mul", F, {2, 0}), instruction("relu", F, {3})},
                {4}});
  Runner exps({"elementwise", {&a}, {&y}, {}, {instruction("exp", F, {0})}, {1}});
  Runner tanhs({"elementwise", {&a}, {&y}, {}, {instruction("tanh", F, {0})}, {1}});
  Runner normal({"elementwise",
                 {&x, &mean, &bias},
                 {&z},
                 {},
                 {instruction("sub", F, {0, 1}), instruction("mul", F, {3, 2})},
                 {4}});
  Runner biased({"elementwise",
                 {&channels, &narrow},
                 {&result},
                 {},
                 {instruction("add", F, {0, 1}), instruction("relu", F, {2})},
                 {3}});
  const double copied = fastest([&] { std::memcpy(y.data(), a.data(), size_t(n) * 4); });
  const double chained = fastest([&] { chain(); }), exped = fastest([&] { exps(); }),
               tanhed = fastest([&] { tanhs(); }), normed = fastest([&] { normal(); }),
               biasing = fastest([&] { biased(); });
  std::printf(
      "GB/s of 64 MiB arrays: memcpy %.1f; a * (a + b) relu %.1f; exp %.1f; tanh %.1f; rows - mean * scale %.1f; + "
      "bias[32] relu %.1f\n",
      8.0 * double(n) / copied / 1e9, 12.0 * double(n) / chained / 1e9, 8.0 * double(n) / exped / 1e9,
      8.0 * double(n) / tanhed / 1e9, 8.0 * double(n) / normed / 1e9, 8.0 * double(n) / biasing / 1e9);
}
