// resample2d and unfold2d against plain loops, and each against its adjoint: <A x, dy> = <x, A' dy>.
#include "check.h"

using namespace check;

namespace {

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

struct Resize {
  int64_t n, h, w, c, oh, ow;
};

double at(int64_t i, double ratio, bool align, int64_t size, int64_t* place) {
  const double position = std::max(0.0, align ? double(i) * ratio : (double(i) + 0.5) * ratio - 0.5);
  *place = std::min(size - 1, int64_t(position));
  return position - double(*place);
}

void bilinear(const Resize& s, bool align) {
  Random random;
  Array x(POLLUX_FLOAT32, {s.n, s.h, s.w, s.c}), y(POLLUX_FLOAT32, {s.n, s.oh, s.ow, s.c});
  Array dy(POLLUX_FLOAT32, y.shape()), dx(POLLUX_FLOAT32, x.shape());
  x.randomize(random);
  dy.randomize(random);
  const auto ratio = [&](int64_t in, int64_t out) {
    return align ? (out > 1 ? double(in - 1) / double(out - 1) : 0) : double(in) / double(out);
  };
  const double down = ratio(s.h, s.oh), across = ratio(s.w, s.ow);
  const std::vector<double> vx = x.values();
  std::vector<double> expected;
  for (int64_t n = 0; n < s.n; ++n)
    for (int64_t i = 0; i < s.oh; ++i)
      for (int64_t j = 0; j < s.ow; ++j)
        for (int64_t c = 0; c < s.c; ++c) {
          int64_t top = 0, left = 0;
          const double v = at(i, down, align, s.h, &top), u = at(j, across, align, s.w, &left);
          const auto pixel = [&](int64_t a, int64_t b) {
            return vx[size_t(((n * s.h + std::min(a, s.h - 1)) * s.w + std::min(b, s.w - 1)) * s.c + c)];
          };
          expected.push_back((1 - v) * ((1 - u) * pixel(top, left) + u * pixel(top, left + 1)) +
                             v * ((1 - u) * pixel(top + 1, left) + u * pixel(top + 1, left + 1)));
        }
  std::vector<Attribute> attributes = {
      {"method", "bilinear"}, {"alignCorners", double(align)}, {"ratio", {down, across}}};
  run({"resample2d", {&x}, {&y}, attributes});
  COMPARE(y, expected, 1e-6, 1e-6);
  run({"resample2dGrad", {&dy}, {&dx}, attributes});
  CHECK(std::fabs(dot(y.values(), dy.values()) - dot(vx, dx.values())) < 1e-6 * double(expected.size() + 1));
}

void adjoint(const char* method, const Resize& s) {
  Random random;
  Array x(POLLUX_FLOAT32, {s.n, s.h, s.w, s.c}), y(POLLUX_FLOAT32, {s.n, s.oh, s.ow, s.c});
  Array dy(POLLUX_FLOAT32, y.shape()), dx(POLLUX_FLOAT32, x.shape());
  x.randomize(random);
  dy.randomize(random);
  std::vector<Attribute> attributes = {
      {"method", method}, {"alignCorners", 0.0}, {"ratio", {double(s.h) / double(s.oh), double(s.w) / double(s.ow)}}};
  run({"resample2d", {&x}, {&y}, attributes});
  run({"resample2dGrad", {&dy}, {&dx}, attributes});
  CHECK(std::fabs(dot(y.values(), dy.values()) - dot(x.values(), dx.values())) <
        1e-6 * double(1 + x.count() + y.count()));
  x.fill([](int64_t) { return 1.5; });  // the weights of an output add up to 1
  run({"resample2d", {&x}, {&y}, attributes});
  COMPARE(y, std::vector<double>(size_t(y.count()), 1.5), 1e-6, 0);
}

const std::vector<Resize> sizes = {{1, 1, 1, 1, 1, 1},   {2, 5, 7, 3, 11, 4}, {1, 4, 4, 17, 8, 8},
                                   {1, 9, 6, 35, 3, 13}, {1, 3, 2, 5, 1, 1},  {0, 3, 3, 2, 6, 6}};

}  // namespace

TEST(interpolate_bilinear) {
  for (const Resize& s : sizes)
    for (bool align : {false, true}) bilinear(s, align);
}

TEST(interpolate_and_its_adjoint) {
  for (const char* method : {"nearest", "nearestExact", "bicubic", "area"})
    for (const Resize& s : sizes) adjoint(method, s);
}

TEST(fold_and_unfold) {
  const int64_t h = 7, w = 9, c = 5, oh = 4, ow = 3;  // windows 3 x 2, stride 2 x 3, dilation 1 x 2
  Random random;
  Array x(POLLUX_FLOAT32, {2, h, w, c}), y(POLLUX_FLOAT32, {2, oh * ow, 3 * 2 * c});
  Array dy(POLLUX_FLOAT32, y.shape()), dx(POLLUX_FLOAT32, x.shape());
  x.randomize(random);
  dy.randomize(random);
  const std::vector<Attribute> attributes = {
      {"window", {3, 2}}, {"stride", {2, 3}}, {"padding", {1, 1, 0, 1}}, {"dilation", {1, 2}}};
  run({"unfold2d", {&x}, {&y}, attributes});
  std::vector<double> expected;
  for (int64_t n = 0; n < 2; ++n)
    for (int64_t i = 0; i < oh; ++i)
      for (int64_t j = 0; j < ow; ++j)
        for (int64_t a = 0; a < 3; ++a)
          for (int64_t b = 0; b < 2; ++b)
            for (int64_t k = 0; k < c; ++k) {
              const int64_t row = i * 2 - 1 + a, column = j * 3 + b * 2;
              const bool inside = row >= 0 && row < h && column < w;
              expected.push_back(inside ? x.get(((n * h + row) * w + column) * c + k) : 0);
            }
  COMPARE(y, expected, 0, 0);
  run({"fold2d", {&dy}, {&dx}, attributes});
  CHECK(std::fabs(dot(y.values(), dy.values()) - dot(x.values(), dx.values())) < 1e-5);
}
