// matmul against a plain double loop: shapes around every tile and panel edge, all transposes, batches, fusions.
#include "check.h"

using namespace check;

namespace {

struct Case {
  int64_t m, n, k;
};

// y = a b by row-major index, whatever the layout in memory.
std::vector<double> reference(const Array& a, const Array& b, const Array* bias, bool transpose_a, bool transpose_b,
                              bool relu) {
  const auto& sa = a.shape();
  const auto& sb = b.shape();
  const size_t r = sa.size();
  const int64_t m = sa[transpose_a ? r - 1 : r - 2], k = sa[transpose_a ? r - 2 : r - 1],
                n = sb[transpose_b ? r - 2 : r - 1];
  int64_t batch = 1;
  for (size_t i = 0; i + 2 < r; ++i) batch *= sa[i];
  const std::vector<double> x = a.values(), w = b.values();
  std::vector<double> y(size_t(batch * m * n));
  for (int64_t g = 0; g < batch; ++g)
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        double sum = bias ? bias->get(j) : 0;
        for (int64_t t = 0; t < k; ++t)
          sum += x[size_t(g * m * k + (transpose_a ? t * m + i : i * k + t))] *
                 w[size_t(g * k * n + (transpose_b ? j * k + t : t * n + j))];
        y[size_t((g * m + i) * n + j)] = relu && sum < 0 ? 0 : sum;
      }
  return y;
}

// A float32 sum of k products of numbers in [-1, 1], added one by one: each of the k roundings is half an ulp of a
// partial sum of about sqrt(k) / 3, so the error has a deviation of 0.14 k ulps of 1; six of them.
double tolerance(int64_t k) {
  return 6e-8 * (8 + 0.84 * double(k));
}

void product(Array& a, Array& b, bool ta, bool tb, bool with_bias, bool relu, std::vector<int64_t> shape) {
  Random random;
  a.randomize(random);
  b.randomize(random);
  Array y(POLLUX_FLOAT32, shape), bias(POLLUX_FLOAT32, {shape.back()});
  bias.randomize(random);
  const int64_t k = a.shape()[ta ? a.shape().size() - 2 : a.shape().size() - 1];
  Step step{"matmul",
            {&a, &b},
            {&y},
            {{"transposeA", double(ta)}, {"transposeB", double(tb)}, {"activation", relu ? "relu" : "none"}}};
  if (with_bias) step.inputs.push_back(&bias);
  run(step);
  const int before = failures;
  COMPARE(y, reference(a, b, with_bias ? &bias : nullptr, ta, tb, relu), 2e-7, tolerance(k));
  if (failures > before)
    std::printf("  in %lld x %lld x %lld, transposes %d %d, bias %d, relu %d\n", (long long)shape[shape.size() - 2],
                (long long)k, (long long)shape.back(), ta, tb, with_bias, relu);
}

void every_way(int64_t m, int64_t n, int64_t k) {
  for (int way = 0; way < 8; ++way) {
    const bool ta = way & 1, tb = way & 2,
               swapped = way & 4;  // swapped: transposed by strides rather than by attribute
    const std::vector<int64_t> sa = ta && !swapped ? std::vector<int64_t>{k, m} : std::vector<int64_t>{m, k};
    const std::vector<int64_t> sb = tb && !swapped ? std::vector<int64_t>{n, k} : std::vector<int64_t>{k, n};
    Array a(POLLUX_FLOAT32, sa, ta && swapped ? std::vector<int>{1, 0} : std::vector<int>{0, 1});
    Array b(POLLUX_FLOAT32, sb, tb && swapped ? std::vector<int>{1, 0} : std::vector<int>{0, 1});
    product(a, b, ta && !swapped, tb && !swapped, way % 3 == 1, way % 5 < 2, {m, n});
  }
}

}  // namespace

TEST(matmul_of_all_small_and_odd_shapes) {
  for (int64_t m : {0, 1, 2, 5, 14, 15, 29})
    for (int64_t n : {0, 1, 3, 10, 16, 17, 33})
      for (int64_t k : {0, 1, 2, 7, 31, 64}) every_way(m, n, k);
}

TEST(matmul_of_every_tile_edge) {
  for (int64_t m = 1; m <= 31; ++m) every_way(m, 37, 11);
  for (int64_t n = 1; n <= 70; ++n) every_way(17, n, 9);
  for (int64_t k = 1; k <= 40; ++k) every_way(6, 19, k);
}

TEST(matmul_of_larger_shapes) {
  for (Case c : std::vector<Case>{{127, 131, 137},
                                  {64, 70, 1100},
                                  {8, 100, 700},
                                  {130, 10, 64},
                                  {10, 64, 130},
                                  {1, 300, 1000},
                                  {300, 1, 1000},
                                  {40, 64, 2111},
                                  {3, 1030, 260},
                                  {260, 290, 530}})
    every_way(c.m, c.n, c.k);
}

TEST(matmul_of_batches) {
  for (int64_t m : {1, 9}) {
    const int64_t n = 20, k = 13;
    Array a(POLLUX_FLOAT32, {3, 2, m, k}), b(POLLUX_FLOAT32, {3, 2, k, n});
    product(a, b, false, false, true, true, {3, 2, m, n});
    Array shared = Array::broadcast(POLLUX_FLOAT32, {3, 2, k, n}, {0, 1}),
          half = Array::broadcast(POLLUX_FLOAT32, {3, 2, k, n}, {1});
    product(a, shared, false, false, true, false, {3, 2, m, n});
    product(a, half, false, false, false, false, {3, 2, m, n});
    Array left = Array::broadcast(POLLUX_FLOAT32, {3, 2, m, k}, {0, 1});
    product(left, b, false, false, false, false, {3, 2, m, n});
    product(left, shared, false, false, false, false, {3, 2, m, n});
    Array heads(POLLUX_FLOAT32, {3, 2, m, k}, {0, 2, 1, 3}), turned(POLLUX_FLOAT32, {3, 2, k, n}, {1, 0, 3, 2});
    product(heads, turned, false, false, true, true, {3, 2, m, n});
    Array at(POLLUX_FLOAT32, {3, 2, k, m}), bt(POLLUX_FLOAT32, {3, 2, n, k});
    product(at, bt, true, true, false, false, {3, 2, m, n});
    product(at, shared, true, false, false, false, {3, 2, m, n});
  }
  Array many(POLLUX_FLOAT32, {700, 3, 5}), others(POLLUX_FLOAT32, {700, 5, 2});
  product(many, others, false, false, true, false, {700, 3, 2});
  Array none(POLLUX_FLOAT32, {0, 3, 5}), nothing(POLLUX_FLOAT32, {0, 5, 2});
  product(none, nothing, false, false, true, false, {0, 3, 2});
  Array rows(POLLUX_FLOAT32, {4, 50, 600}), weights = Array::broadcast(POLLUX_FLOAT32, {4, 80, 600}, {0});
  product(rows, weights, false, true, true, true, {4, 50, 80});
}

// A NaN or an infinity may show in its own row and column only, and relu keeps NaN.
TEST(matmul_keeps_nan_in_its_place) {
  for (bool tb : {false, true})
    for (int64_t m : {2, 19})
      for (int64_t n : {1, 35}) {
        const int64_t k = 70;
        Random random;
        Array a(POLLUX_FLOAT32, {m, k}),
            b(POLLUX_FLOAT32, tb ? std::vector<int64_t>{n, k} : std::vector<int64_t>{k, n}), y(POLLUX_FLOAT32, {m, n});
        a.randomize(random, 0, 1);
        b.randomize(random, 0, 1);
        a.set(k + 3, NAN);
        b.set(tb ? (n - 1) * k + 5 : 5 * n + n - 1, INFINITY);
        run({"matmul", {&a, &b}, {&y}, {{"transposeB", double(tb)}, {"activation", "relu"}}});
        for (int64_t i = 0; i < m; ++i)
          for (int64_t j = 0; j < n; ++j) {
            const double got = y.get(i * n + j);
            CHECK(i == 1 ? std::isnan(got) : j == n - 1 ? std::isinf(got) : std::isfinite(got));
          }
      }
}

TEST(matmul_of_integers_wraps_around) {
  for (int32_t dtype : {POLLUX_INT32, POLLUX_INT64})
    for (bool ta : {false, true})
      for (bool tb : {false, true})
        for (Case c : std::vector<Case>{{3, 5, 7}, {1, 1, 0}, {40, 33, 21}, {0, 2, 2}}) {
          Random random;
          Array a(dtype, ta ? std::vector<int64_t>{2, c.k, c.m} : std::vector<int64_t>{2, c.m, c.k}),
              b(dtype, tb ? std::vector<int64_t>{2, c.n, c.k} : std::vector<int64_t>{2, c.k, c.n});
          Array bias(dtype, {c.n}), y(dtype, {2, c.m, c.n});
          for (Array* x : {&a, &b, &bias})
            for (int64_t i = 0; i < x->count(); ++i) x->set_integer(i, int64_t(random.next()));
          run({"matmul",
               {&a, &b, &bias},
               {&y},
               {{"transposeA", double(ta)}, {"transposeB", double(tb)}, {"activation", "relu"}}});
          for (int64_t g = 0; g < 2; ++g)
            for (int64_t i = 0; i < c.m; ++i)
              for (int64_t j = 0; j < c.n; ++j) {
                uint64_t sum = uint64_t(bias.get_integer(j));
                for (int64_t t = 0; t < c.k; ++t)
                  sum += uint64_t(a.get_integer(g * c.m * c.k + (ta ? t * c.m + i : i * c.k + t))) *
                         uint64_t(b.get_integer(g * c.k * c.n + (tb ? j * c.k + t : t * c.n + j)));
                const int64_t value = dtype == POLLUX_INT32 ? int64_t(int32_t(sum)) : int64_t(sum);
                CHECK(y.get_integer((g * c.m + i) * c.n + j) == (value < 0 ? 0 : value));
              }
        }
}
