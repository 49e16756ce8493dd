// batchNorm and batchNormGrad against float64, over odd channel counts, many rows, and means far from zero.
#include "check.h"

using namespace check;

namespace {

constexpr double ulp = 1.0 / (1 << 23);
constexpr double epsilon = 1e-5;

struct Data {
  int64_t rows, channels;
  Array x, scale, shift, y, mean, variance;
  std::vector<double> exact_mean, exact_variance;

  Data(std::vector<int64_t> shape, Random& random, double centre, double spread)
      : rows(1),
        channels(shape.back()),
        x(POLLUX_FLOAT32, shape),
        scale(POLLUX_FLOAT32, {channels}),
        shift(POLLUX_FLOAT32, {channels}),
        y(POLLUX_FLOAT32, shape),
        mean(POLLUX_FLOAT32, {channels}),
        variance(POLLUX_FLOAT32, {channels}) {
    for (size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
    x.fill([&](int64_t i) { return centre * double(i % channels + 1) + random.uniform(-spread, spread); });
    scale.randomize(random, 0.5, 2);
    shift.randomize(random);
    exact_mean.assign(size_t(channels), 0);
    exact_variance.assign(size_t(channels), 0);
    for (int64_t i = 0; i < x.count(); ++i) exact_mean[size_t(i % channels)] += x.get(i) / double(rows);
    for (int64_t i = 0; i < x.count(); ++i)
      exact_variance[size_t(i % channels)] += std::pow(x.get(i) - exact_mean[size_t(i % channels)], 2) / double(rows);
  }
  void forward() { run({"batchNorm", {&x, &scale, &shift}, {&y, &mean, &variance}, {{"epsilon", epsilon}}}); }
};

const std::vector<std::vector<int64_t>> shapes = {
    {0, 3},    {5, 0},    {1, 1},    {2, 1},    {1, 7},        {7, 3},     {128, 10},       {1000, 1},
    {130, 33}, {257, 32}, {64, 100}, {31, 513}, {3, 5, 7, 17}, {20, 1021}, {2, 50, 50, 64}, {40009, 5}};

}  // namespace

TEST(batchnorm_forward) {
  Random random;
  for (const auto& shape : shapes)
    for (double centre : {0.0, 1.0, 1000.0}) {
      Data data(shape, random, centre, 1);
      data.forward();
      if (data.rows == 0) {
        COMPARE(data.mean, std::vector<double>(size_t(data.channels), 0), 0, 0);
        continue;
      }
      COMPARE(data.mean, data.exact_mean, ulp, ulp);
      COMPARE(data.variance, data.exact_variance, 4 * ulp, 1e-12);
      for (int64_t i = 0; i < data.x.count(); ++i) {
        const size_t c = size_t(i % data.channels);
        const double inverse = 1 / std::sqrt(data.exact_variance[c] + epsilon),
                     normal = (data.x.get(i) - data.exact_mean[c]) * inverse;
        const double expected = normal * data.scale.get(int64_t(c)) + data.shift.get(int64_t(c));
        const double size = std::fabs(normal * data.scale.get(int64_t(c))) + std::fabs(data.shift.get(int64_t(c)));
        CHECK(std::fabs(data.y.get(i) - expected) <= 4 * ulp * (size + 1));  // however far the mean is from zero
      }
    }
}

TEST(batchnorm_statistics_of_a_million_rows_far_from_zero) {
  Random random;
  for (double centre : {0.0, 1e4}) {
    Data data({1'000'003, 3}, random, centre, 0.5);
    data.x.set(0, 3e3);  // an outlier in front, where a naive shift would be taken
    double sum = 0, squares = 0;
    for (int64_t r = 0; r < data.rows; ++r) sum += data.x.get(r * 3);
    for (int64_t r = 0; r < data.rows; ++r) squares += std::pow(data.x.get(r * 3) - sum / double(data.rows), 2);
    data.exact_mean[0] = sum / double(data.rows);
    data.exact_variance[0] = squares / double(data.rows);
    data.forward();
    COMPARE(data.mean, data.exact_mean, ulp, 1e-9);
    COMPARE(data.variance, data.exact_variance, 3 * ulp, 0);
  }
}

TEST(batchnorm_gradient) {
  Random random;
  for (const auto& shape : shapes)
    for (double centre : {0.0, 100.0}) {
      Data data(shape, random, centre, 1);
      data.forward();
      Array dy(POLLUX_FLOAT32, shape), dx(POLLUX_FLOAT32, shape), dscale(POLLUX_FLOAT32, {data.channels}),
          dshift(POLLUX_FLOAT32, {data.channels});
      dy.randomize(random, -1, 2);
      run({"batchNormGrad",
           {&dy, &data.x, &data.scale, &data.mean, &data.variance},
           {&dx, &dscale, &dshift},
           {{"epsilon", epsilon}}});
      std::vector<double> sum(size_t(data.channels), 0), product(size_t(data.channels), 0),
          size(size_t(data.channels), 0);
      const auto normal = [&](int64_t i) {
        const int64_t c = i % data.channels;
        return (data.x.get(i) - data.mean.get(c)) / std::sqrt(data.variance.get(c) + epsilon);
      };
      for (int64_t i = 0; i < data.x.count(); ++i) {
        sum[size_t(i % data.channels)] += dy.get(i);
        product[size_t(i % data.channels)] += dy.get(i) * normal(i);
        size[size_t(i % data.channels)] += std::fabs(dy.get(i) * normal(i));
      }
      const double rows = double(data.rows);
      for (int64_t c = 0; c < data.channels; ++c) {
        CHECK(std::fabs(dshift.get(c) - sum[size_t(c)]) <= 4 * ulp * (rows + 1));
        CHECK(std::fabs(dscale.get(c) - product[size_t(c)]) <= 4 * ulp * (size[size_t(c)] + 1e-6));
      }
      for (int64_t i = 0; i < data.x.count(); ++i) {
        const int64_t c = i % data.channels;
        const double factor = data.scale.get(c) / std::sqrt(data.variance.get(c) + epsilon);
        const double expected = factor * (dy.get(i) - sum[size_t(c)] / rows - normal(i) * product[size_t(c)] / rows);
        const double tolerance = 4 * ulp * factor * (2 + std::fabs(normal(i)) * (1 + size[size_t(c)] / rows));
        CHECK(std::fabs(dx.get(i) - expected) <= tolerance);
      }
      run({"batchNormGrad",
           {&dy, &data.x, &data.scale, &data.mean, &data.variance},
           {&dy, &dscale, &dshift},
           {{"epsilon", epsilon}}});  // dx over dy
      CHECK(dy.memory() == dx.memory());
    }
}

TEST(bench_batchnorm) {
  for (const std::vector<int64_t> shape :
       {std::vector<int64_t>{128, 26, 26, 32}, {64, 32, 32, 16}, {1'000'000, 33}, {100'000, 512}}) {
    Random random;
    Array x(POLLUX_FLOAT32, shape), y(POLLUX_FLOAT32, shape), dx(POLLUX_FLOAT32, shape),
        c[6] = {{POLLUX_FLOAT32, {shape.back()}}, {POLLUX_FLOAT32, {shape.back()}}, {POLLUX_FLOAT32, {shape.back()}},
                {POLLUX_FLOAT32, {shape.back()}}, {POLLUX_FLOAT32, {shape.back()}}, {POLLUX_FLOAT32, {shape.back()}}};
    for (Array* a : {&x, &y, &dx, &c[0], &c[1], &c[2], &c[3]}) std::memset(a->data(), 0, size_t(a->count() * 4));
    Runner forward({"batchNorm", {&x, &c[0], &c[1]}, {&y, &c[2], &c[3]}, {{"epsilon", epsilon}}});
    Runner backward({"batchNormGrad", {&y, &x, &c[0], &c[2], &c[3]}, {&dx, &c[4], &c[5]}, {{"epsilon", epsilon}}});
    const double size = 4.0 * double(x.count());
    const double copy = fastest([&] { std::memcpy(y.data(), x.data(), size_t(size)); });
    const double f = fastest([&] { forward(2); }), b = fastest([&] { backward(2); });
    std::printf(
        "batchNorm, %.0f MB, %lld channels, 2 threads: %.2f ms, %.1f GB/s (2 reads, 1 write); gradient %.2f ms, %.1f "
        "GB/s (4 reads, 1 write); "
        "memcpy on 1 thread %.1f GB/s\n",
        size / 1e6, static_cast<long long>(shape.back()), f * 1e3, 3 * size / f / 1e9, b * 1e3, 5 * size / b / 1e9,
        2 * size / copy / 1e9);
  }
}
