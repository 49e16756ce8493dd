// softmax, logSoftmax and their gradients against float64, over short, long and degenerate rows.
#include "check.h"

using namespace check;

namespace {

constexpr double ulp = 1.0 / (1 << 23);

std::vector<double> reference(const Array& x, int64_t columns, bool logarithm) {
  std::vector<double> y(size_t(x.count()));
  for (int64_t row = 0; columns && row < x.count() / columns; ++row) {
    double most = -INFINITY, sum = 0;
    for (int64_t c = 0; c < columns; ++c) most = std::fmax(most, x.get(row * columns + c));
    for (int64_t c = 0; c < columns; ++c) sum += std::exp(x.get(row * columns + c) - most);
    for (int64_t c = 0; c < columns; ++c) {
      const double shifted = x.get(row * columns + c) - most;
      y[size_t(row * columns + c)] = logarithm ? shifted - std::log(sum) : std::exp(shifted) / sum;
    }
  }
  return y;
}

const std::vector<std::vector<int64_t>> shapes = {{0, 5},    {3, 0},    {1, 1},      {7, 1},      {5, 2},
                                                  {129, 10}, {64, 16},  {33, 17},    {3, 11, 37}, {5, 1000},
                                                  {3, 1031}, {4, 8192}, {2, 100003}, {3001, 10}};

}  // namespace

TEST(softmax_and_log_softmax) {
  Random random;
  for (const auto& shape : shapes)
    for (double range : {1.0, 30.0}) {
      Array x(POLLUX_FLOAT32, shape), y(POLLUX_FLOAT32, shape), log_y(POLLUX_FLOAT32, shape);
      x.randomize(random, -range, range);
      run({"softmax", {&x}, {&y}});
      run({"logSoftmax", {&x}, {&log_y}});
      // x - max is rounded: up to half an ulp of 2 range in the exponent.
      COMPARE(y, reference(x, shape.back(), false), (6 + 2 * range) * ulp, 1e-37);
      COMPARE(log_y, reference(x, shape.back(), true), 3 * ulp, 3 * ulp);
      run({"softmax", {&x}, {&x}});
      CHECK(x.memory() == y.memory());
    }
}

TEST(softmax_of_extreme_rows) {
  for (int64_t columns : {3, 19, 100}) {
    Array x(POLLUX_FLOAT32, {5, columns}), y(POLLUX_FLOAT32, {5, columns}), log_y(POLLUX_FLOAT32, {5, columns});
    x.fill([&](int64_t i) -> double {
      const int64_t row = i / columns, column = i % columns;
      if (row == 0) return -INFINITY;                        // NaN, as PyTorch
      if (row == 1) return column == 1 ? 5.0 : -INFINITY;    // one hot
      if (row == 2) return column == 2 ? double(NAN) : 1.0;  // NaN
      if (row == 3) return column == 0 ? 1e38 : -1e38;       // one hot
      return column == 1 ? double(INFINITY) : 0.0;           // NaN
    });
    run({"softmax", {&x}, {&y}});
    run({"logSoftmax", {&x}, {&log_y}});
    for (int64_t c = 0; c < columns; ++c) {
      for (int64_t row : {0, 2})
        CHECK(std::isnan(y.get(row * columns + c)) && std::isnan(log_y.get(row * columns + c)));
      CHECK(y.get(columns + c) == (c == 1));
      CHECK(log_y.get(columns + c) == (c == 1 ? 0 : -INFINITY));
      CHECK(y.get(3 * columns + c) == (c == 0));
    }
    CHECK(std::isnan(y.get(4 * columns + 1)));
  }
}

TEST(softmax_gradients) {
  Random random;
  for (const auto& shape : shapes) {
    const int64_t columns = shape.back();
    Array x(POLLUX_FLOAT32, shape), y(POLLUX_FLOAT32, shape), log_y(POLLUX_FLOAT32, shape), dy(POLLUX_FLOAT32, shape);
    Array dx(POLLUX_FLOAT32, shape), log_dx(POLLUX_FLOAT32, shape);
    x.randomize(random, -3, 3);
    dy.randomize(random);
    run({"softmax", {&x}, {&y}});
    run({"logSoftmax", {&x}, {&log_y}});
    run({"softmaxGrad", {&dy, &y}, {&dx}});
    run({"logSoftmaxGrad", {&dy, &log_y}, {&log_dx}});
    std::vector<double> expected(size_t(x.count())), log_expected(size_t(x.count()));
    for (int64_t row = 0; columns && row < x.count() / columns; ++row) {
      double dot = 0, sum = 0, largest = 0;
      for (int64_t i = row * columns; i < (row + 1) * columns; ++i) dot += y.get(i) * dy.get(i), sum += dy.get(i);
      for (int64_t i = row * columns; i < (row + 1) * columns; ++i) {
        expected[size_t(i)] = y.get(i) * (dy.get(i) - dot);
        log_expected[size_t(i)] = dy.get(i) - std::exp(log_y.get(i)) * sum;
        largest = std::fmax(largest, y.get(i));
      }
      // The dot product's rounding scales with y, the sum's with the root of the row's length.
      for (int64_t i = row * columns; i < (row + 1) * columns; ++i) {
        CHECK(std::fabs(dx.get(i) - expected[size_t(i)]) <= 4 * ulp * y.get(i));
        CHECK(std::fabs(log_dx.get(i) - log_expected[size_t(i)]) <=
              ulp * (2 + 8 * largest * std::sqrt(double(columns))));
      }
    }
  }
}

TEST(bench_softmax) {
  for (const std::vector<int64_t> shape : {std::vector<int64_t>{1'000'000, 10}, {10'000, 1000}, {2048, 8192}}) {
    Array x(POLLUX_FLOAT32, shape), y(POLLUX_FLOAT32, shape);
    std::memset(x.data(), 0, size_t(x.count() * 4));
    std::memset(y.data(), 0, size_t(y.count() * 4));
    Runner forward({"softmax", {&x}, {&y}}), logarithm({"logSoftmax", {&x}, {&y}});
    const double bytes = 8.0 * double(x.count());
    const double copy = fastest([&] { std::memcpy(y.data(), x.data(), size_t(x.count() * 4)); });
    std::printf(
        "softmax [%lld, %lld], GB/s: %.1f on 1 thread, %.1f on 2, logSoftmax %.1f on 2; memcpy on 1 thread %.1f\n",
        static_cast<long long>(shape[0]), static_cast<long long>(shape[1]), bytes / fastest([&] { forward(1); }) / 1e9,
        bytes / fastest([&] { forward(2); }) / 1e9, bytes / fastest([&] { logarithm(2); }) / 1e9, bytes / copy / 1e9);
  }
}
