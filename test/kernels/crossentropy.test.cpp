// crossEntropy and its gradient against float64, over label types, class counts and labels out of range.
#include "check.h"

using namespace check;

namespace {

constexpr double ulp = 1.0 / (1 << 23);

/// log(sum(exp(x))) of a row, in float64.
double log_sum_exp(const Array& x, int64_t row, int64_t classes) {
  double most = -INFINITY, sum = 0;
  for (int64_t c = 0; c < classes; ++c) most = std::fmax(most, x.get(row * classes + c));
  for (int64_t c = 0; c < classes; ++c) sum += std::exp(x.get(row * classes + c) - most);
  return most + std::log(sum);
}

struct Data {
  Array logits, labels, loss, log_sum;
  Data(int64_t rows, int64_t classes, int32_t label_dtype)
      : logits(POLLUX_FLOAT32, {rows, classes}),
        labels(label_dtype, {rows}),
        loss(POLLUX_FLOAT32, {rows}),
        log_sum(POLLUX_FLOAT32, {rows}) {}
  PolluxStatus forward() { return run({"crossEntropy", {&logits, &labels}, {&loss, &log_sum}}); }
};

}  // namespace

TEST(crossentropy_and_its_gradient) {
  Random random;
  for (int32_t dtype : {POLLUX_INT32, POLLUX_INT64, POLLUX_UINT8})
    for (auto [rows, classes] : std::vector<std::pair<int64_t, int64_t>>{
             {0, 10}, {1, 1}, {128, 10}, {3001, 10}, {31, 2}, {17, 16}, {33, 47}, {64, 1000}, {5, 8192}})
      for (double range : {3.0, 40.0}) {
        Data data(rows, classes, dtype);
        data.logits.randomize(random, -range, range);
        for (int64_t r = 0; r < rows; ++r)
          data.labels.set_integer(r, random.below(std::min<int64_t>(classes, dtype == POLLUX_UINT8 ? 256 : classes)));
        CHECK(data.forward().code == POLLUX_OK);
        std::vector<double> loss, sums;
        for (int64_t r = 0; r < rows; ++r) {
          sums.push_back(log_sum_exp(data.logits, r, classes));
          loss.push_back(sums.back() - data.logits.get(r * classes + data.labels.get_integer(r)));
        }
        COMPARE(data.log_sum, sums, 2 * ulp, 2 * ulp);
        COMPARE(data.loss, loss, 3 * ulp, 3 * ulp);

        Array dloss(POLLUX_FLOAT32, {rows}), gradient(POLLUX_FLOAT32, {rows, classes});
        dloss.randomize(random);
        CHECK(run({"crossEntropyGrad", {&dloss, &data.logits, &data.labels, &data.log_sum}, {&gradient}}).code ==
              POLLUX_OK);
        for (int64_t i = 0; i < gradient.count(); ++i) {
          const int64_t r = i / classes;
          const double p = std::exp(data.logits.get(i) - sums[size_t(r)]),
                       hot = i % classes == data.labels.get_integer(r);
          // The rounding of logSumExp (2 ulp of it) becomes a relative error of p.
          const double tolerance = ulp * std::fabs(dloss.get(r)) *
                                   (p * (4 + 2 * std::fabs(sums[size_t(r)]) + range) + 2 * std::fabs(p - hot));
          CHECK(std::fabs(gradient.get(i) - (p - hot) * dloss.get(r)) <= tolerance + 1e-37);
        }
        run({"crossEntropyGrad", {&dloss, &data.logits, &data.labels, &data.log_sum}, {&data.logits}});  // in place
        CHECK(data.logits.memory() == gradient.memory());
      }
}

TEST(crossentropy_of_large_logits_keeps_its_digits) {
  Data data(1, 3, POLLUX_INT32);
  const double logits[] = {10000, 10000.5, 9999};
  data.logits.fill([&](int64_t i) { return logits[i]; });
  data.labels.set_integer(0, 0);
  data.forward();
  COMPARE(data.loss, std::vector<double>(1, log_sum_exp(data.logits, 0, 3) - 10000), 3 * ulp, 0);
}

TEST(crossentropy_names_the_first_label_out_of_range) {
  for (int32_t dtype : {POLLUX_INT32, POLLUX_INT64, POLLUX_UINT8})
    for (int64_t bad : {int64_t(10), dtype == POLLUX_UINT8 ? int64_t(255) : int64_t(-1),
                        dtype == POLLUX_INT64 ? int64_t(1) << 40 : int64_t(11)}) {
      Random random;
      const int64_t rows = 10007;
      Data data(rows, 10, dtype);
      data.logits.randomize(random);
      for (int64_t r = 0; r < rows; ++r) data.labels.set_integer(r, r % 10);
      for (int64_t r : {9999, 77, 5000}) data.labels.set_integer(r, r == 77 ? bad : 10);
      const PolluxStatus status = data.forward();
      CHECK(status.code == POLLUX_LABEL_OUT_OF_RANGE);
      CHECK(status.element == 77);
      CHECK(status.detail == bad);
      CHECK(data.loss.get(77) == 0 && data.loss.get(5000) == 0 && data.loss.get(78) > 0);
      Array dloss(POLLUX_FLOAT32, {rows}), gradient(POLLUX_FLOAT32, {rows, 10});
      dloss.fill([](int64_t) { return 1; });
      CHECK(run({"crossEntropyGrad", {&dloss, &data.logits, &data.labels, &data.log_sum}, {&gradient}}).element == 77);
      for (int64_t c = 0; c < 10; ++c) CHECK(gradient.get(770 + c) == 0);
    }
}

TEST(crossentropy_of_rows_without_a_probability) {
  Data data(3, 5, POLLUX_INT32);
  data.logits.fill([](int64_t i) { return i < 5 ? -INFINITY : i == 7 ? double(NAN) : 1.0; });
  for (int64_t r = 0; r < 3; ++r) data.labels.set_integer(r, 1);
  data.forward();
  CHECK(std::isnan(data.loss.get(0)) && std::isnan(data.loss.get(1)) &&
        std::fabs(data.loss.get(2) - std::log(5)) < 1e-6);
}

TEST(bench_crossentropy) {
  for (auto [rows, classes] : std::vector<std::pair<int64_t, int64_t>>{{128, 10}, {1'000'000, 10}, {2048, 8192}}) {
    Data data(rows, classes, POLLUX_INT32);
    Array dloss(POLLUX_FLOAT32, {rows}), gradient(POLLUX_FLOAT32, {rows, classes});
    for (Array* a : {&data.logits, &data.labels, &dloss, &gradient}) std::memset(a->data(), 0, size_t(a->count() * 4));
    Runner forward({"crossEntropy", {&data.logits, &data.labels}, {&data.loss, &data.log_sum}});
    forward();
    Runner backward({"crossEntropyGrad", {&dloss, &data.logits, &data.labels, &data.log_sum}, {&gradient}});
    const double f = fastest([&] { forward(2); }), b = fastest([&] { backward(2); }),
                 bytes = 4.0 * double(rows * classes);
    std::printf("crossEntropy [%lld, %lld] on 2 threads: %.1f us, %.1f GB/s; gradient %.1f us, %.1f GB/s\n",
                static_cast<long long>(rows), static_cast<long long>(classes), f * 1e6, bytes / f / 1e9, b * 1e6,
                2 * bytes / b / 1e9);
  }
}
