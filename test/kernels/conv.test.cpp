// conv2d and its gradients against plain double loops, and the identity <conv(x, w), dy> = <x, gradInput> = <w,
// gradWeight>.
#include "check.h"

using namespace check;

namespace {

struct Shape {
  int64_t n, h, w, i, o, kh, kw;
  int64_t sy = 1, sx = 1, top = 0, bottom = 0, left = 0, right = 0;
  int64_t groups = 1, dy = 1, dx = 1;  // dilation
  int64_t oh() const { return (h + top + bottom - (kh - 1) * dy - 1) / sy + 1; }
  int64_t ow() const { return (w + left + right - (kw - 1) * dx - 1) / sx + 1; }
  int64_t depth() const { return i / groups; }  // channels that one output sees
  std::vector<Attribute> attributes() const {
    return {{"stride", {double(sy), double(sx)}},
            {"padding", {double(top), double(bottom), double(left), double(right)}},
            {"dilation", {double(dy), double(dx)}},
            {"groups", {double(groups)}}};
  }
  std::string text() const {
    char line[200];
    std::snprintf(
        line, sizeof line,
        "  in x [%d,%d,%d,%d], w [%d,%d,%d,%d], stride %d %d, padding %d %d %d %d, groups %d, dilation %d %d\n", int(n),
        int(h), int(w), int(i), int(o), int(kh), int(kw), int(i), int(sy), int(sx), int(top), int(bottom), int(left),
        int(right), int(groups), int(dy), int(dx));
    return line;
  }
};

// Calls visit(index in x, index in w, index in y) for every product of the convolution.
template <typename Visit>
void products(const Shape& s, const Visit& visit) {
  for (int64_t n = 0; n < s.n; ++n)
    for (int64_t a = 0; a < s.oh(); ++a)
      for (int64_t b = 0; b < s.ow(); ++b)
        for (int64_t ky = 0; ky < s.kh; ++ky)
          for (int64_t kx = 0; kx < s.kw; ++kx) {
            const int64_t iy = a * s.sy + ky * s.dy - s.top, ix = b * s.sx + kx * s.dx - s.left;
            if (iy < 0 || iy >= s.h || ix < 0 || ix >= s.w) continue;
            for (int64_t o = 0; o < s.o; ++o)
              for (int64_t i = 0; i < s.depth(); ++i)
                visit(((n * s.h + iy) * s.w + ix) * s.i + o / (s.o / s.groups) * s.depth() + i,
                      ((o * s.kh + ky) * s.kw + kx) * s.depth() + i, ((n * s.oh() + a) * s.ow() + b) * s.o + o);
          }
}

double tolerance(int64_t k) {
  return 6e-8 * (8 + 0.84 * double(k));
}  // see matmul.test.cpp

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

void all_of(const Shape& s) {
  Random random;
  Array x(POLLUX_FLOAT32, {s.n, s.h, s.w, s.i}), w(POLLUX_FLOAT32, {s.o, s.kh, s.kw, s.depth()}),
      bias(POLLUX_FLOAT32, {s.o});
  Array y(POLLUX_FLOAT32, {s.n, s.oh(), s.ow(), s.o}), plain(POLLUX_FLOAT32, y.shape()), dy(POLLUX_FLOAT32, y.shape());
  Array dx(POLLUX_FLOAT32, x.shape()), dw(POLLUX_FLOAT32, w.shape());
  for (Array* a : {&x, &w, &bias, &dy}) a->randomize(random);
  const std::vector<double> vx = x.values(), vw = w.values(), vd = dy.values();
  std::vector<double> rx(vx.size()), rw(vw.size()), ry(vd.size()), fused(vd.size());
  products(s, [&](int64_t a, int64_t b, int64_t c) {
    ry[size_t(c)] += vx[size_t(a)] * vw[size_t(b)];
    rx[size_t(a)] += vd[size_t(c)] * vw[size_t(b)];
    rw[size_t(b)] += vx[size_t(a)] * vd[size_t(c)];
  });
  for (size_t c = 0; c < ry.size(); ++c) fused[c] = std::max(0.0, ry[c] + bias.get(int64_t(c) % s.o));
  const int before = failures;
  std::vector<Attribute> attributes = s.attributes();
  run({"conv2d", {&x, &w}, {&plain}, attributes});
  COMPARE(plain, ry, 2e-7, tolerance(s.kh * s.kw * s.i));
  attributes.push_back({"activation", "relu"});
  run({"conv2d", {&x, &w, &bias}, {&y}, attributes});
  COMPARE(y, fused, 2e-7, tolerance(s.kh * s.kw * s.i));
  attributes = s.attributes();
  attributes.push_back({"inputSize", {double(s.h), double(s.w)}});
  run({"conv2dGradInput", {&dy, &w}, {&dx}, attributes});
  COMPARE(dx, rx, 2e-7, tolerance(s.kh * s.kw * s.o));
  attributes = s.attributes();
  attributes.push_back({"kernelSize", {double(s.kh), double(s.kw)}});
  run({"conv2dGradWeight", {&x, &dy}, {&dw}, attributes});
  COMPARE(dw, rw, 2e-7, tolerance(s.n * s.oh() * s.ow()));
  const double forward = dot(plain.values(), vd), size = std::sqrt(double(ry.size() * size_t(s.kh * s.kw * s.i))) + 1;
  CHECK(std::fabs(forward - dot(vx, dx.values())) < 1e-6 * size);
  CHECK(std::fabs(forward - dot(vw, dw.values())) < 1e-6 * size);
  if (failures > before) std::printf("%s", s.text().c_str());
}

}  // namespace

TEST(conv_of_odd_shapes) {
  for (const Shape& s : std::vector<Shape>{{2, 7, 9, 3, 5, 3, 3},
                                           {1, 1, 1, 1, 1, 1, 1},
                                           {3, 5, 4, 2, 17, 1, 1},
                                           {2, 11, 13, 1, 33, 5, 5},
                                           {1, 29, 31, 3, 16, 3, 3},
                                           {2, 6, 40, 7, 40, 2, 3},
                                           {5, 8, 8, 16, 16, 3, 3},
                                           {1, 4, 4, 70, 65, 4, 4},
                                           {3, 14, 14, 9, 3, 1, 1}})
    all_of(s);
}

TEST(conv_with_padding) {
  for (const Shape& s : std::vector<Shape>{{2, 7, 9, 3, 5, 3, 3, 1, 1, 1, 1, 1, 1},
                                           {2, 5, 6, 4, 20, 3, 3, 1, 1, 2, 0, 1, 3},
                                           {1, 2, 2, 3, 4, 5, 5, 1, 1, 2, 2, 2, 2},  // window larger than the image
                                           {1, 3, 3, 2, 2, 3, 3, 1, 1, 4, 5, 6, 3},  // padding larger than the window
                                           {2, 6, 6, 3, 4, 1, 1, 1, 1, 1, 2, 0, 1},
                                           {1, 40, 9, 5, 6, 7, 1, 1, 1, 3, 3, 0, 0},
                                           {3, 16, 16, 32, 32, 3, 3, 1, 1, 1, 1, 1, 1},
                                           {1, 130, 70, 4, 8, 3, 3, 1, 1, 1, 1, 1, 1}})
    all_of(s);
}

TEST(conv_with_stride) {
  for (const Shape& s : std::vector<Shape>{{2, 9, 9, 3, 5, 3, 3, 2, 2, 1, 1, 1, 1},
                                           {2, 8, 8, 4, 18, 3, 3, 2, 2, 0, 1, 0, 1},
                                           {1, 16, 16, 8, 16, 1, 1, 2, 2},
                                           {2, 10, 13, 2, 3, 4, 4, 2, 2, 1, 1, 1, 1},
                                           {1, 11, 17, 3, 4, 2, 2, 3, 4},
                                           {1, 12, 7, 5, 6, 5, 3, 3, 1, 2, 1, 1, 0},
                                           {1, 3, 3, 2, 2, 3, 3, 5, 5, 1, 1, 1, 1},
                                           {1, 33, 30, 3, 40, 7, 7, 2, 2, 3, 3, 3, 3},
                                           {2, 1, 9, 3, 2, 1, 3, 2, 2, 0, 0, 0, 0}})
    all_of(s);
}

TEST(conv_with_dilation) {
  for (const Shape& s : std::vector<Shape>{{2, 9, 11, 3, 5, 3, 3, 1, 1, 0, 0, 0, 0, 1, 2, 2},
                                           {1, 13, 12, 5, 20, 3, 2, 1, 1, 2, 2, 3, 3, 1, 2, 3},
                                           {2, 15, 16, 4, 33, 3, 3, 2, 2, 2, 2, 2, 2, 1, 2, 2},
                                           {1, 14, 17, 3, 6, 3, 3, 2, 3, 1, 0, 2, 1, 1, 3, 2},
                                           {1, 19, 18, 2, 4, 3, 4, 4, 6, 3, 1, 2, 2, 1, 2, 4},
                                           {1, 3, 3, 2, 3, 3, 3, 1, 1, 8, 8, 8, 8, 1, 5, 4}})
    all_of(s);
}

TEST(conv_with_groups) {
  for (const Shape& s : std::vector<Shape>{{2, 7, 9, 6, 10, 3, 3, 1, 1, 1, 1, 1, 1, 2},
                                           {1, 8, 8, 12, 12, 3, 3, 2, 2, 1, 1, 1, 1, 4},
                                           {2, 5, 5, 70, 140, 1, 1, 1, 1, 0, 0, 0, 0, 2},
                                           {1, 9, 9, 4, 12, 3, 3, 1, 1, 1, 1, 1, 1, 4},  // three kernels for a channel
                                           {1, 11, 7, 9, 6, 3, 2, 2, 1, 1, 2, 0, 1, 3, 2, 2},
                                           {0, 5, 5, 4, 4, 3, 3, 1, 1, 0, 0, 0, 0, 2}})
    all_of(s);
}

TEST(conv_depthwise) {
  for (const Shape& s : std::vector<Shape>{{2, 7, 9, 5, 5, 3, 3, 1, 1, 1, 1, 1, 1, 5},
                                           {1, 30, 33, 35, 35, 3, 3, 1, 1, 1, 1, 1, 1, 35},
                                           {2, 16, 15, 48, 48, 5, 5, 2, 2, 2, 2, 2, 2, 48},
                                           {1, 9, 40, 16, 16, 3, 7, 1, 3, 0, 2, 5, 1, 16, 2, 1},
                                           {1, 12, 13, 3, 3, 2, 3, 3, 2, 1, 0, 1, 1, 3, 3, 4},
                                           {1, 2, 2, 8, 8, 5, 5, 1, 1, 2, 2, 2, 2, 8},
                                           {1, 1, 64, 17, 17, 1, 4, 1, 1, 0, 0, 3, 0, 17},
                                           {0, 5, 5, 4, 4, 3, 3, 1, 1, 0, 0, 0, 0, 4}})
    all_of(s);
}

TEST(conv_of_nothing) {
  for (const Shape& s :
       std::vector<Shape>{{0, 7, 9, 3, 5, 3, 3}, {2, 7, 9, 0, 5, 3, 3, 1, 1, 1, 1, 1, 1}, {2, 7, 9, 3, 0, 3, 3, 2, 2}})
    all_of(s);
}

// A NaN in one image or pixel shows only where its window reaches.
TEST(conv_keeps_nan_in_its_place) {
  const Shape s{2, 9, 11, 3, 35, 3, 3, 1, 1, 1, 1, 1, 1};
  Random random;
  Array x(POLLUX_FLOAT32, {s.n, s.h, s.w, s.i}), w(POLLUX_FLOAT32, {s.o, 3, 3, s.i}),
      y(POLLUX_FLOAT32, {s.n, s.h, s.w, s.o});
  x.randomize(random);
  w.randomize(random);
  x.set((4 * s.w + 10) * s.i + 1, NAN);
  x.set((s.h * s.w + 3 * s.w) * s.i, INFINITY);
  run({"conv2d", {&x, &w}, {&y}, s.attributes()});
  for (int64_t n = 0; n < s.n; ++n)
    for (int64_t a = 0; a < s.h; ++a)
      for (int64_t b = 0; b < s.w; ++b) {
        const bool reached = n == 0 ? std::abs(a - 4) <= 1 && b >= 9 : std::abs(a - 3) <= 1 && b <= 1;
        for (int64_t o = 0; o < s.o; ++o) CHECK(std::isfinite(y.get(((n * s.h + a) * s.w + b) * s.o + o)) == !reached);
      }
}

namespace {

struct Pool {
  int64_t height, width;
};

// The fused forms against convolution, pooling and unpooling one after the other.
void pooled(const Shape& s, Pool pool, bool relu) {
  Random random;
  const int64_t ph = s.oh() / pool.height, pw = s.ow() / pool.width;
  Array x(POLLUX_FLOAT32, {s.n, s.h, s.w, s.i}), w(POLLUX_FLOAT32, {s.o, s.kh, s.kw, s.i}), bias(POLLUX_FLOAT32, {s.o});
  Array full(POLLUX_FLOAT32, {s.n, s.oh(), s.ow(), s.o}), spread(POLLUX_FLOAT32, full.shape());
  Array y(POLLUX_FLOAT32, {s.n, ph, pw, s.o}), dy(POLLUX_FLOAT32, y.shape()), index(POLLUX_UINT8, y.shape());
  Array dw(POLLUX_FLOAT32, w.shape()), unfused(POLLUX_FLOAT32, w.shape());
  for (Array* a : {&w, &bias, &dy}) a->randomize(random);
  x.fill([&](int64_t) { return double(random.below(3)) - 1; });  // few values: many equal maxima
  if (s.o > 2) w.fill([&](int64_t) { return double(random.below(5)) - 2; });
  bias.fill([&](int64_t) { return double(random.below(9)) / 4 - 2; });
  if (x.count() > 40) x.set(x.count() / 2, NAN);
  std::vector<Attribute> attributes = s.attributes();
  run({"conv2d", {&x, &w, &bias}, {&full}, attributes});
  attributes.push_back({"window", {double(pool.height), double(pool.width)}});
  attributes.push_back({"activation", relu ? "relu" : "none"});
  run({"conv2dMaxPool", {&x, &w, &bias}, {&y, &index}, attributes});
  std::vector<double> best, place;
  const std::vector<double> values = full.values();
  spread.fill([](int64_t) { return 0.0; });
  const int before = failures;
  for (int64_t n = 0; n < s.n; ++n)
    for (int64_t a = 0; a < ph; ++a)
      for (int64_t b = 0; b < pw; ++b)
        for (int64_t o = 0; o < s.o; ++o) {
          double top = 0;
          int64_t where = -1, at = 0;
          for (int64_t r = 0; r < pool.height; ++r)
            for (int64_t c = 0; c < pool.width; ++c) {
              const int64_t i = ((n * s.oh() + a * pool.height + r) * s.ow() + b * pool.width + c) * s.o + o;
              const double v = values[size_t(i)];
              if (where < 0 || v > top || (std::isnan(v) && !std::isnan(top)))
                top = v, where = r * pool.width + c, at = i;
            }
          best.push_back(relu && top < 0 ? 0 : top);
          place.push_back(double(where));
          spread.set(at, dy.get(int64_t(best.size()) - 1));
        }
  COMPARE(y, best, 1e-6, 1e-5);
  COMPARE(index, place, 0, 0);
  if (x.count() > 40) x.set(x.count() / 2, 0.5);
  attributes = s.attributes();
  attributes.push_back({"kernelSize", {double(s.kh), double(s.kw)}});
  run({"conv2dGradWeight", {&x, &spread}, {&unfused}, attributes});
  attributes.push_back({"window", {double(pool.height), double(pool.width)}});
  attributes.push_back({"outputSize", {double(s.oh()), double(s.ow())}});
  run({"conv2dGradWeightUnpool", {&x, &dy, &index}, {&dw}, attributes});
  COMPARE(dw, unfused.values(), 2e-7, 2 * tolerance(s.n * s.oh() * s.ow()));
  if (failures > before)
    std::printf("  pool %d %d, relu %d%s", int(pool.height), int(pool.width), relu, s.text().c_str());
}

}  // namespace

TEST(conv_pool_and_unpool) {
  for (bool relu : {false, true}) {
    pooled({3, 28, 28, 1, 32, 3, 3}, {2, 2}, relu);
    pooled({2, 9, 8, 1, 16, 3, 3}, {2, 2}, relu);
    pooled({2, 11, 13, 1, 40, 3, 3}, {2, 2}, relu);  // a remainder is dropped
    pooled({1, 12, 9, 3, 7, 3, 3, 1, 1, 1, 1, 1, 1}, {2, 2}, relu);
    pooled({2, 14, 14, 32, 64, 3, 3, 1, 1, 1, 1, 1, 1}, {2, 2}, relu);
    pooled({1, 13, 17, 2, 5, 5, 3, 2, 1, 2, 2, 1, 1}, {3, 2}, relu);
    pooled({1, 6, 6, 1, 3, 3, 3, 1, 1, 1, 1, 1, 1}, {1, 3}, relu);
    pooled({1, 3, 3, 1, 3, 3, 3}, {2, 2}, relu);  // nothing left
  }
}
