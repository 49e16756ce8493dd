// Pooling against plain loops over the windows: overlapping, padded, gapped, all-padding windows, odd channels.
#include "check.h"

using namespace check;

namespace {

struct Case {
  int64_t images, height, width, channels;
  int64_t window[2], stride[2], padding[4];  // padding: top, bottom, left, right

  int64_t rows() const { return (height + padding[0] + padding[1] - window[0]) / stride[0] + 1; }
  int64_t columns() const { return (width + padding[2] + padding[3] - window[1]) / stride[1] + 1; }
  std::vector<int64_t> image() const { return {images, height, width, channels}; }
  std::vector<int64_t> pooled() const { return {images, rows(), columns(), channels}; }
  std::vector<Attribute> attributes(bool count_padding = true) const {
    return {{"window", std::vector<double>(window, window + 2)},
            {"stride", std::vector<double>(stride, stride + 2)},
            {"padding", std::vector<double>(padding, padding + 4)},
            {"inputSize", {double(height), double(width)}},
            {"countPadding", double(count_padding)}};
  }
  /// visit(output element, image element or -1 in the padding, place in the window), in row-major order.
  void for_each_place(const std::function<void(int64_t, int64_t, int64_t)>& visit) const {
    for (int64_t n = 0; n < images; ++n)
      for (int64_t i = 0; i < rows(); ++i)
        for (int64_t j = 0; j < columns(); ++j)
          for (int64_t c = 0; c < channels; ++c)
            for (int64_t place = 0; place < window[0] * window[1]; ++place) {
              const int64_t h = i * stride[0] - padding[0] + place / window[1],
                            w = j * stride[1] - padding[2] + place % window[1];
              const bool inside = h >= 0 && h < height && w >= 0 && w < width;
              visit(((n * rows() + i) * columns() + j) * channels + c,
                    inside ? ((n * height + h) * width + w) * channels + c : -1, place);
            }
  }
};

const std::vector<Case> cases = {
    {2, 4, 6, 16, {2, 2}, {2, 2}, {0, 0, 0, 0}},    {3, 7, 5, 33, {2, 2}, {2, 2}, {0, 0, 0, 0}},
    {2, 9, 8, 7, {3, 3}, {2, 2}, {1, 1, 1, 1}},     {1, 11, 13, 67, {3, 5}, {1, 2}, {1, 0, 2, 2}},
    {2, 10, 10, 3, {2, 3}, {4, 5}, {0, 0, 0, 0}},   {1, 1, 1, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}},
    {2, 3, 3, 5, {2, 2}, {2, 2}, {2, 2, 3, 2}},     {0, 4, 4, 8, {2, 2}, {2, 2}, {0, 0, 0, 0}},
    {3, 4, 4, 0, {2, 2}, {2, 2}, {0, 0, 0, 0}},     {1, 15, 17, 9, {15, 17}, {1, 1}, {0, 0, 0, 0}},
    {16, 26, 26, 32, {2, 2}, {2, 2}, {0, 0, 0, 0}}, {1, 64, 31, 64, {3, 3}, {1, 1}, {1, 1, 1, 1}},
};

}  // namespace

TEST(pool_max_and_its_gradients) {
  Random random;
  for (const Case& pool : cases) {
    Array x(POLLUX_FLOAT32, pool.image()), y(POLLUX_FLOAT32, pool.pooled()), index(POLLUX_UINT8, pool.pooled());
    // Few different values, so that equals are common.
    x.fill([&](int64_t) { return double(random.below(7)) - 3; });
    run({"maxPool2d", {&x}, {&y, &index}, pool.attributes()});

    std::vector<double> most(size_t(y.count()), -INFINITY), place(size_t(y.count()), 0), source(size_t(y.count()), -1);
    pool.for_each_place([&](int64_t output, int64_t element, int64_t at) {
      if (element < 0) return;
      const size_t o = size_t(output);
      if (source[o] < 0 || x.get(element) > most[o])
        most[o] = x.get(element), place[o] = double(at), source[o] = double(element);
    });
    COMPARE(y, most, 0, 0);
    COMPARE(index, place, 0, 0);

    Array dy(POLLUX_FLOAT32, pool.pooled()), dx(POLLUX_FLOAT32, pool.image()), picked(POLLUX_FLOAT32, pool.pooled());
    dy.randomize(random);
    run({"maxPool2dGrad", {&dy, &index}, {&dx}, pool.attributes()});
    run({"maxPool2dGather", {&x, &index}, {&picked}, pool.attributes()});
    std::vector<double> gradient(size_t(x.count()), 0), chosen(size_t(y.count()), 0);
    for (size_t o = 0; o < source.size(); ++o) {
      if (source[o] < 0) continue;
      gradient[size_t(source[o])] += dy.get(int64_t(o));
      chosen[o] = x.get(int64_t(source[o]));
    }
    COMPARE(dx, gradient, 1e-6, 1e-6);
    COMPARE(picked, chosen, 0, 0);
  }
}

TEST(pool_max_of_nan_and_infinity) {
  const Case pool = {1, 2, 6, 19, {2, 2}, {2, 2}, {0, 0, 0, 0}};
  Array x(POLLUX_FLOAT32, pool.image()), y(POLLUX_FLOAT32, pool.pooled()), index(POLLUX_UINT8, pool.pooled());
  const double values[2][6] = {{-INFINITY, -INFINITY, 1, NAN, INFINITY, 3},
                               {-INFINITY, -INFINITY, NAN, 5, INFINITY, 2}};
  x.fill([&](int64_t i) { return values[i / 19 / 6][i / 19 % 6]; });
  run({"maxPool2d", {&x}, {&y, &index}, pool.attributes()});
  const double most[3] = {-INFINITY, NAN, INFINITY}, places[3] = {0, 1, 0};
  std::vector<double> expected, expected_index;
  for (int64_t i = 0; i < y.count(); ++i) expected.push_back(most[i / 19]), expected_index.push_back(places[i / 19]);
  COMPARE(y, expected, 0, 0);
  COMPARE(index, expected_index, 0, 0);
}

TEST(pool_max_ignores_padding_when_all_values_are_lowest) {
  const Case pool = {1, 2, 2, 17, {2, 2}, {1, 1}, {1, 1, 1, 1}};
  Array x(POLLUX_FLOAT32, pool.image()), y(POLLUX_FLOAT32, pool.pooled()), index(POLLUX_UINT8, pool.pooled());
  x.fill([](int64_t) { return -INFINITY; });
  run({"maxPool2d", {&x}, {&y, &index}, pool.attributes()});
  const double places[9] = {3, 2, 2, 1, 0, 0, 1, 0, 0};
  std::vector<double> expected;
  for (int64_t i = 0; i < y.count(); ++i) expected.push_back(places[i / 17]);
  COMPARE(index, expected, 0, 0);
}

TEST(pool_average_and_its_gradient) {
  Random random;
  for (const Case& pool : cases)
    for (bool count_padding : {true, false}) {
      Array x(POLLUX_FLOAT32, pool.image()), y(POLLUX_FLOAT32, pool.pooled()), dy(POLLUX_FLOAT32, pool.pooled()),
          dx(POLLUX_FLOAT32, pool.image());
      x.randomize(random);
      dy.randomize(random);
      run({"avgPool2d", {&x}, {&y}, pool.attributes(count_padding)});
      run({"avgPool2dGrad", {&dy}, {&dx}, pool.attributes(count_padding)});
      std::vector<double> sum(size_t(y.count()), 0), count(size_t(y.count()), 0), gradient(size_t(x.count()), 0);
      pool.for_each_place([&](int64_t output, int64_t element, int64_t) {
        if (element >= 0) sum[size_t(output)] += x.get(element);
        if (element >= 0 || count_padding) ++count[size_t(output)];
      });
      pool.for_each_place([&](int64_t output, int64_t element, int64_t) {
        if (element >= 0) gradient[size_t(element)] += dy.get(output) / count[size_t(output)];
      });
      for (size_t i = 0; i < sum.size(); ++i) sum[i] = count[i] > 0 ? sum[i] / count[i] : 0;
      COMPARE(y, sum, 1e-6, 1e-6);
      COMPARE(dx, gradient, 1e-6, 2e-6);
    }
}

TEST(bench_pool) {
  const Case pool = {128, 26, 26, 32, {2, 2}, {2, 2}, {0, 0, 0, 0}};
  Array x(POLLUX_FLOAT32, pool.image()), y(POLLUX_FLOAT32, pool.pooled()), index(POLLUX_UINT8, pool.pooled());
  std::memset(x.data(), 0, size_t(x.count() * 4));
  Runner most({"maxPool2d", {&x}, {&y, &index}, pool.attributes()}),
      back({"maxPool2dGrad", {&y, &index}, {&x}, pool.attributes()});
  Runner average({"avgPool2d", {&x}, {&y}, pool.attributes()}),
      average_back({"avgPool2dGrad", {&y}, {&x}, pool.attributes()});
  const double bytes = 4.0 * double(x.count() + y.count());
  const auto rate = [&](Runner& runner) { return bytes / fastest([&] { runner(2); }) / 1e9; };
  std::printf("pool 2x2, 128x26x26x32, GB/s: max %.1f, its gradient %.1f, average %.1f, its gradient %.1f\n",
              rate(most), rate(back), rate(average), rate(average_back));
}
