// attention, its gradient, rotary and cacheUpdate against float64, over any strides, lengths and blocks.
#include "check.h"

using namespace check;

namespace {

struct Sizes {
  int64_t batch, from, to, heads, key_heads, size, value_size;
};

struct Case {
  Sizes s;
  bool causal = false;
  int64_t window = 0;
  std::vector<double> lengths = {};
  bool mask = false;
};

struct Expected {
  std::vector<double> y, total, dq, dk, dv, delta;
};

int64_t at(const std::vector<int64_t>& shape, int64_t a, int64_t b, int64_t c, int64_t d) {
  return ((a * shape[1] + b) * shape[2] + c) * shape[3] + d;
}

Expected reference(const Case& c, double scale, const Array& q, const Array& k, const Array& v, const Array* mask,
                   const Array& dy) {
  const Sizes& s = c.s;
  Expected e;
  e.y.assign(size_t(dy.count()), 0), e.total.assign(size_t(s.batch * s.heads * s.from), 0), e.delta = e.total;
  e.dq.assign(size_t(q.count()), 0), e.dk.assign(size_t(k.count()), 0), e.dv.assign(size_t(v.count()), 0);
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t h = 0; h < s.heads; ++h)
      for (int64_t i = 0; i < s.from; ++i) {
        const int64_t g = h / (s.heads / s.key_heads);
        const int64_t length = c.lengths.empty() ? s.to : int64_t(c.lengths[size_t(b)]);
        std::vector<double> weights(size_t(s.to), -INFINITY);
        double most = -INFINITY, sum = 0, delta = 0;
        for (int64_t j = 0; j < length; ++j) {
          const int64_t apart = i + length - s.from - j;
          if ((c.causal && apart < 0) || (c.window && std::abs(apart) >= c.window)) continue;
          if (mask && !mask->get(at(mask->shape(), b, h, i, j))) continue;
          double score = 0;
          for (int64_t d = 0; d < s.size; ++d)
            score += q.get(at(q.shape(), b, i, h, d)) * k.get(at(k.shape(), b, j, g, d));
          weights[size_t(j)] = score * scale;
          most = std::fmax(most, score * scale);
        }
        if (most == -INFINITY) continue;
        for (double& w : weights) sum += w = std::exp(w - most);
        const size_t row = size_t((b * s.heads + h) * s.from + i);
        e.total[row] = most + std::log(sum);
        for (int64_t j = 0; j < s.to; ++j) {
          double& w = weights[size_t(j)];
          w /= sum;
          for (int64_t d = 0; d < s.value_size; ++d) {
            const double slope = dy.get(at(dy.shape(), b, i, h, d));
            e.y[size_t(at(dy.shape(), b, i, h, d))] += w * v.get(at(v.shape(), b, j, g, d));
            e.dv[size_t(at(v.shape(), b, j, g, d))] += w * slope;
            delta += w * slope * v.get(at(v.shape(), b, j, g, d));
          }
        }
        e.delta[row] = delta;
        for (int64_t j = 0; j < s.to; ++j) {
          double slope = -delta;
          for (int64_t d = 0; d < s.value_size; ++d)
            slope += dy.get(at(dy.shape(), b, i, h, d)) * v.get(at(v.shape(), b, j, g, d));
          slope *= weights[size_t(j)] * scale;
          for (int64_t d = 0; d < s.size; ++d) {
            e.dq[size_t(at(q.shape(), b, i, h, d))] += slope * k.get(at(k.shape(), b, j, g, d));
            e.dk[size_t(at(k.shape(), b, j, g, d))] += slope * q.get(at(q.shape(), b, i, h, d));
          }
        }
      }
  return e;
}

// Operands contiguous; permuted with gaps; with a flipped axis.
Array make(int layout, const std::vector<int64_t>& shape, Random& random) {
  Array x = layout == 0   ? Array(POLLUX_FLOAT32, shape)
            : layout == 1 ? Array(POLLUX_FLOAT32, shape, {0, 2, 1, 3}, 1)
                          : Array(POLLUX_FLOAT32, shape, {3, 1, 0, 2}, 2, {1});
  x.randomize(random, -2, 2);
  return x;
}

void check_case(const Case& c, int layout) {
  Random random;
  const Sizes& s = c.s;
  Array q = make(layout, {s.batch, s.from, s.heads, s.size}, random);
  Array k = make(layout, {s.batch, s.to, s.key_heads, s.size}, random);
  Array v = make(layout, {s.batch, s.to, s.key_heads, s.value_size}, random);
  Array dy = make(layout, {s.batch, s.from, s.heads, s.value_size}, random);
  Array lengths(POLLUX_INT32, {s.batch}), mask(POLLUX_BOOL, {s.batch, s.heads, s.from, s.to});
  mask.fill([&](int64_t) { return double(random.below(3) > 0); });
  std::vector<Array*> inputs = {&q, &k, &v};
  std::string operands;
  if (!c.lengths.empty()) {
    lengths.fill([&](int64_t i) { return c.lengths[size_t(i)]; });
    inputs.push_back(&lengths);
    operands = "lengths";
  }
  if (c.mask) {
    inputs.push_back(&mask);
    operands += operands.empty() ? "mask" : " mask";
  }
  const double scale = 1 / std::sqrt(double(s.size));
  const std::vector<Attribute> attributes = {
      {"scale", scale}, {"causal", double(c.causal)},  {"window", double(c.window)}, {"rate", 0.0},
      {"stream", 0.0},  {"operands", operands.c_str()}};
  const Expected e = reference(c, float(scale), q, k, v, c.mask ? &mask : nullptr, dy);
  Array y(POLLUX_FLOAT32, dy.shape()), total(POLLUX_FLOAT32, {s.batch, s.heads, s.from});
  run({"attention", inputs, {&y, &total}, attributes});
  COMPARE(y, e.y, 0, 1e-5);
  COMPARE(total, e.total, 1e-5, 1e-5);
  Array delta(POLLUX_FLOAT32, total.shape());
  total.fill([&](int64_t i) { return e.total[size_t(i)]; });
  delta.fill([&](int64_t i) { return e.delta[size_t(i)]; });
  Array dq(POLLUX_FLOAT32, q.shape()), dk(POLLUX_FLOAT32, k.shape()), dv(POLLUX_FLOAT32, v.shape());
  inputs.insert(inputs.begin(), {&dy, &total, &delta});
  run({"attentionGrad", inputs, {&dq, &dk, &dv}, attributes});
  COMPARE(dq, e.dq, 1e-4, 1e-4);
  COMPARE(dk, e.dk, 1e-4, 1e-4);
  COMPARE(dv, e.dv, 1e-4, 1e-4);
}

}  // namespace

TEST(attention_of_any_sizes_and_strides) {
  const Case cases[] = {
      {{2, 3, 5, 2, 2, 7, 4}},
      {{1, 1, 300, 4, 1, 16, 16}},
      {{2, 1, 300, 3, 3, 70, 33}, true, 0, {1, 290}},
      {{1, 130, 127, 2, 2, 33, 17}, true},
      {{1, 257, 260, 1, 1, 8, 8}, true, 40},
      {{2, 70, 140, 6, 2, 5, 3}, false, 0, {140, 0}},
      {{2, 20, 253, 3, 1, 4, 64}, true, 0, {252, 11}},
      {{1, 129, 129, 1, 1, 3, 3}, false, 5, {}, true},
      {{1, 2, 9, 200, 1, 4, 4}, true},
  };
  for (const Case& c : cases)
    for (int layout = 0; layout < 3; ++layout) check_case(c, layout);
}

TEST(attention_rows_that_meet_in_the_cache) {
  check_case({{1, 40, 150, 2, 2, 512, 512}}, 0);  // rows 4 KiB apart: copied
}

TEST(attention_cache_update) {
  Random random;
  Array cache(POLLUX_FLOAT32, {3, 5, 7}), rows(POLLUX_FLOAT32, {3, 2, 7}), position(POLLUX_INT32, {3});
  cache.randomize(random), rows.randomize(random);
  const double places[] = {0, 3, 4};
  position.fill([&](int64_t i) { return places[i]; });
  Array y(POLLUX_FLOAT32, cache.shape());
  const PolluxStatus status = run({"cacheUpdate", {&cache, &rows, &position}, {&y}});
  CHECK(status.code == POLLUX_CAPACITY_EXCEEDED && status.element == 2 && status.detail == 4);
  for (int64_t b = 0; b < 3; ++b)
    for (int64_t row = 0; row < 5; ++row)
      for (int64_t d = 0; d < 7; ++d) {
        const int64_t from = row - int64_t(places[b]);
        const bool written = b < 2 && from >= 0 && from < 2;
        CHECK(y.get((b * 5 + row) * 7 + d) ==
              (written ? rows.get((b * 2 + from) * 7 + d) : cache.get((b * 5 + row) * 7 + d)));
      }
  run({"cacheUpdate", {&cache, &rows, &position}, {&cache}});
  CHECK(cache.values() == y.values());
}

TEST(attention_rotary_far_away) {
  Random random;
  for (bool interleaved : {false, true}) {
    Array x(POLLUX_FLOAT32, {2, 3, 2, 10}, {0, 2, 1, 3}), y(POLLUX_FLOAT32, x.shape()), place(POLLUX_INT64, {2});
    x.randomize(random);
    place.fill([](int64_t i) { return i ? 1e6 : 7; });
    run({"rotary",
         {&x, &place},
         {&y},
         {{"base", 10000.0}, {"dimension", 8.0}, {"interleaved", double(interleaved)}, {"inverse", 0.0}}});
    std::vector<double> expected(size_t(x.count()));
    for (int64_t i = 0; i < x.count(); ++i) {
      const int64_t d = i % 10, t = i / 20 % 3, b = i / 60;
      const int64_t pair = interleaved ? d / 2 : d % 4;
      const bool second = interleaved ? d % 2 : d >= 4;
      const int64_t partner = i + (interleaved ? 1 : 4) * (second ? -1 : 1);
      const double angle = double((b ? 1000000 : 7) + t) * std::pow(10000.0, -double(pair) / 4);
      expected[size_t(i)] =
          d >= 8 ? x.get(i) : x.get(i) * std::cos(angle) + (second ? 1 : -1) * x.get(partner) * std::sin(angle);
    }
    COMPARE(y, expected, 0, 1e-6);
  }
}
