// Reductions against double or integer loops, over axes, layouts and lengths.
#include <limits>

#include "check.h"

using namespace check;

// Calls visit(output, input) for each pair of row-major indices that belong together.
static void each(const std::vector<int64_t>& shape, const std::vector<int>& axes,
                 const std::function<void(int64_t, int64_t)>& visit) {
  int64_t count = 1;
  for (int64_t d : shape) count *= d;
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i, to = 0, scale = 1;
    for (int axis = int(shape.size()) - 1; axis >= 0; --axis) {
      const int64_t index = rest % shape[size_t(axis)];
      rest /= shape[size_t(axis)];
      bool reduced = false;
      for (int a : axes) reduced |= a == axis;
      if (!reduced) to += index * scale, scale *= shape[size_t(axis)];
    }
    visit(to, i);
  }
}

static std::vector<int64_t> kept_shape(const std::vector<int64_t>& shape, const std::vector<int>& axes, bool keep) {
  std::vector<int64_t> left;
  for (size_t i = 0; i < shape.size(); ++i) {
    bool reduced = false;
    for (int a : axes) reduced |= a == int(i);
    if (!reduced)
      left.push_back(shape[i]);
    else if (keep)
      left.push_back(1);
  }
  return left;
}

static void reduces(const char* op, Array& x, const std::vector<int>& axes, double tolerance, double neutral,
                    double (*combine)(double, double), bool keep = false) {
  Array y(x.operand().dtype, kept_shape(x.shape(), axes, keep));
  run({op, {&x}, {&y}, {{"axes", std::vector<double>(axes.begin(), axes.end())}, {"keepDims", double(keep)}}});
  std::vector<double> expected(size_t(y.count()), neutral), size(size_t(y.count()), 0);
  each(x.shape(), axes, [&](int64_t to, int64_t from) {
    expected[size_t(to)] = combine(expected[size_t(to)], x.get(from));
    size[size_t(to)] += std::fabs(x.get(from));
  });
  double largest = 0;
  for (double s : size) largest = std::max(largest, s);
  COMPARE(y, expected, tolerance, tolerance * largest);
}

static double add(double a, double b) {
  return a + b;
}
static double mul(double a, double b) {
  return a * b;
}
static double larger(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? NAN : std::fmax(a, b);
}
static double smaller(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? NAN : std::fmin(a, b);
}

struct Case {
  std::vector<int64_t> shape;
  std::vector<std::vector<int>> axes;
};

static const std::vector<Case> cases = {{{}, {{}}},
                                        {{7}, {{0}, {}}},
                                        {{0}, {{0}}},
                                        {{3, 0}, {{0}, {1}, {0, 1}}},
                                        {{1, 5}, {{0}, {1}}},
                                        {{130, 10}, {{0}, {1}, {0, 1}}},
                                        {{5, 3001}, {{0}, {1}, {0, 1}}},
                                        {{40000, 3}, {{0}, {1}}},
                                        {{3, 70001}, {{1}, {0, 1}}},
                                        {{6, 7, 33}, {{0}, {1}, {2}, {0, 2}, {1, 2}, {0, 1}, {0, 1, 2}}},
                                        {{1031, 130}, {{0}, {1}}},
                                        {{2, 3, 600, 5}, {{0, 2}, {1, 3}, {2}, {3}}},
                                        {{20000, 32}, {{0}}},
                                        {{3, 1300, 70}, {{1}, {0, 1}}}};

TEST(reduce_float_over_layouts) {
  const double low = -std::numeric_limits<double>::infinity();
  for (const Case& c : cases) {
    const int rank = int(c.shape.size());
    std::vector<int> reversed;
    for (int i = rank - 1; i >= 0; --i) reversed.push_back(i);
    std::vector<Array> inputs = {Array(POLLUX_FLOAT32, c.shape), Array(POLLUX_FLOAT32, c.shape, reversed),
                                 Array(POLLUX_FLOAT32, c.shape, {}, 2)};
    if (rank)
      inputs.push_back(Array(POLLUX_FLOAT32, c.shape, {}, 1, {rank - 1})),
          inputs.push_back(Array::broadcast(POLLUX_FLOAT32, c.shape, {0}));
    Random random;
    for (Array& x : inputs) {
      x.randomize(random, -1, 2);
      for (const auto& axes : c.axes) {
        reduces("sum", x, axes, 3e-7, 0, add);
        reduces("sumSquares", x, axes, 1e-6, 0, [](double total, double element) { return total + element * element; });
        reduces("max", x, axes, 0, low, larger, true);
        reduces("min", x, axes, 0, -low, smaller);
      }
    }
  }
}

TEST(reduce_prod_and_integers) {
  Random random;
  Array f(POLLUX_FLOAT32, {50, 40});
  f.fill([&](int64_t) { return random.uniform(0.9, 1.1); });
  for (const auto& axes : std::vector<std::vector<int>>{{0}, {1}, {0, 1}}) reduces("prod", f, axes, 2e-6, 1, mul);
  for (int32_t dtype : {POLLUX_INT32, POLLUX_INT64}) {
    Array x(dtype, {37, 5, 61});
    x.fill([&](int64_t) { return double(random.below(2001) - 1000); });
    for (const auto& axes : std::vector<std::vector<int>>{{0}, {1}, {2}, {0, 2}, {0, 1, 2}}) {
      reduces("sum", x, axes, 0, 0, add);
      reduces("max", x, axes, 0, dtype == POLLUX_INT32 ? INT32_MIN : -9223372036854775808.0, larger);
      reduces("min", x, axes, 0, dtype == POLLUX_INT32 ? INT32_MAX : 9223372036854775807.0, smaller);
    }
    Array small(dtype, {9, 11});
    small.fill([&](int64_t) { return double(1 + random.below(3)); });
    reduces("prod", small, {0}, 0, 1, mul);
  }
}

TEST(reduce_any_and_all) {
  Random random;
  for (int density : {0, 1, 50, 99, 100}) {
    Array x(POLLUX_BOOL, {70, 3, 65}, {0, 2, 1});
    x.fill([&](int64_t) { return double(random.below(100) < density); });
    for (const auto& axes : std::vector<std::vector<int>>{{0}, {1}, {2}, {0, 2}, {0, 1, 2}}) {
      reduces("any", x, axes, 0, 0, [](double a, double b) { return double(a != 0 || b != 0); });
      reduces("all", x, axes, 0, 1, [](double a, double b) { return double(a != 0 && b != 0); });
    }
  }
}

TEST(reduce_propagates_nan) {
  for (int64_t place : {0, 5, 63, 64, 1000, 4999}) {
    for (int axis : {0, 1}) {
      Array x(POLLUX_FLOAT32, axis ? std::vector<int64_t>{3, 5000} : std::vector<int64_t>{5000, 3});
      x.fill([](int64_t i) { return double(i % 17); });
      x.set(axis ? 5000 + place : place * 3 + 1, NAN);
      reduces("max", x, {axis}, 0, -std::numeric_limits<double>::infinity(), larger);
      reduces("min", x, {axis}, 0, std::numeric_limits<double>::infinity(), smaller);
      reduces("sum", x, {axis}, 1e-6, 0, add);
      Array y(POLLUX_INT32, {3});
      run({"argmax", {&x}, {&y}, {{"axis", double(axis)}}});
      CHECK(y.get_integer(1) == place && y.get_integer(0) == (axis ? 16 : 11));
      run({"argmin", {&x}, {&y}, {{"axis", double(axis)}}});
      CHECK(y.get_integer(1) == place);
    }
  }
}

// The error of a sum of many like terms must not grow with their number.
TEST(reduce_sum_keeps_accuracy) {
  for (int axis : {0, 1}) {
    Array x(POLLUX_FLOAT32, axis ? std::vector<int64_t>{2, 3000000} : std::vector<int64_t>{3000000, 2}),
        y(POLLUX_FLOAT32, {2});
    x.fill([](int64_t) { return 0.1; });
    run({"sum", {&x}, {&y}, {{"axes", std::vector<double>{double(axis)}}}});
    COMPARE(y, (std::vector<double>{300000.00447, 300000.00447}), 1e-6, 0);
  }
}

TEST(reduce_argmax_over_layouts) {
  Random random;
  for (int32_t dtype : {POLLUX_FLOAT32, POLLUX_INT32, POLLUX_INT64}) {
    for (const auto& shape :
         std::vector<std::vector<int64_t>>{{1}, {10}, {130, 10}, {7, 33, 5}, {3, 700}, {600, 1, 3}}) {
      const int rank = int(shape.size());
      std::vector<int> reversed;
      for (int i = rank - 1; i >= 0; --i) reversed.push_back(i);
      std::vector<Array> inputs = {Array(dtype, shape), Array(dtype, shape, reversed), Array(dtype, shape, {}, 2, {0})};
      for (Array& x : inputs) {
        x.fill([&](int64_t) { return double(random.below(20)); });  // equals are common
        for (int axis = 0; axis < rank; ++axis) {
          for (bool largest : {true, false}) {
            Array y(POLLUX_INT32, kept_shape(shape, {axis}, false));
            run({largest ? "argmax" : "argmin", {&x}, {&y}, {{"axis", double(axis)}}});
            std::vector<double> best(size_t(y.count())), place(size_t(y.count()), -1);
            std::vector<int64_t> seen(size_t(y.count()), 0);
            each(shape, {axis}, [&](int64_t to, int64_t from) {
              const double v = x.get(from);
              const size_t t = size_t(to);
              if (place[t] < 0 || (largest ? v > best[t] : v < best[t])) best[t] = v, place[t] = double(seen[t]);
              ++seen[t];
            });
            COMPARE(y, place, 0, 0);
          }
        }
      }
    }
  }
}

TEST(bench_reduce_sum) {
  const int64_t n = 4096;
  Array x(POLLUX_FLOAT32, {n, n}), rows(POLLUX_FLOAT32, {n}), columns(POLLUX_FLOAT32, {n}), all(POLLUX_FLOAT32, {}),
      narrow(POLLUX_FLOAT32, {n * n / 32, 32}), bias(POLLUX_FLOAT32, {32});
  std::memset(x.data(), 0, size_t(n * n * 4));
  std::memset(narrow.data(), 0, size_t(n * n * 4));
  Array copy(POLLUX_FLOAT32, {n, n});
  Runner a({"sum", {&x}, {&rows}, {{"axes", std::vector<double>{1}}}}),
      b({"sum", {&x}, {&columns}, {{"axes", std::vector<double>{0}}}}),
      c({"sum", {&x}, {&all}, {{"axes", std::vector<double>{0, 1}}}}),
      d({"sum", {&narrow}, {&bias}, {{"axes", std::vector<double>{0}}}}),
      m({"max", {&x}, {&rows}, {{"axes", std::vector<double>{1}}}});
  const double bytes = 4.0 * double(n * n);
  const double copied = fastest([&] { std::memcpy(copy.data(), x.data(), size_t(bytes)); });
  std::printf("GB/s: memcpy %.1f; sum of rows %.1f, columns %.1f, all %.1f, [N, 32] over N %.1f; max of rows %.1f\n",
              2 * bytes / copied / 1e9, bytes / fastest([&] { a(); }) / 1e9, bytes / fastest([&] { b(); }) / 1e9,
              bytes / fastest([&] { c(); }) / 1e9, bytes / fastest([&] { d(); }) / 1e9,
              bytes / fastest([&] { m(); }) / 1e9);
}
