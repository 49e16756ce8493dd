// The gradient of a convolution by its input as correlations of dy with the turned weights. With a stride it falls
// apart into stride_y x stride_x phases: the pixels of dx of one phase see the same taps, and dy without holes.
#pragma once
#include "conv_strip.h"

namespace pollux {
namespace {

struct Phase {
  Window window;
  int64_t rows, columns;             // output pixels of the phase in one image
  int64_t offset_y, offset_x;        // its first one
  int64_t first_tap_y, first_tap_x;  // taps first, first + tap step, ...
  int64_t packed, group_packed;      // where its weights begin, and how many a group has
};

// What a convolution is, as its step's attributes say.
struct Geometry {
  int64_t stride[2] = {1, 1}, padding[4] = {}, dilation[2] = {1, 1}, groups = 1;
};

inline Geometry read_geometry(const PolluxStep& step) {
  Geometry g;
  numbers(step, "stride", g.stride, 2);
  numbers(step, "padding", g.padding, 4);
  numbers(step, "dilation", g.dilation, 2);
  g.groups = integer(step, "groups", 1);
  return g;
}

inline int64_t common_divisor(int64_t a, int64_t b) {
  while (b) {
    const int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

// Taps of one phase are so far apart along an axis.
inline int64_t tap_step(const Geometry& g, int axis) {
  return g.stride[axis] / common_divisor(g.stride[axis], g.dilation[axis]);
}

// One axis of a phase. dx(i) = sum of dy(o) w(k) over o * stride + k * dilation = i + before. For i = a * stride +
// phase the taps are k = first + j * tap step, and o = a + down - j * dilation / (common divisor of both).
struct PhaseAxis {
  int64_t first, taps, spread, before;
};

inline PhaseAxis phase_axis(const Geometry& g, int axis, int64_t phase, int64_t kernel) {
  const int64_t stride = g.stride[axis], dilation = g.dilation[axis], step = tap_step(g, axis);
  const int64_t reach = phase + g.padding[2 * axis];
  int64_t first = 0;
  while (first < step && (reach - first * dilation) % stride != 0) ++first;
  if (first == step || first >= kernel) return {-1, 0, 1, 0};
  const int64_t taps = ceil_div(kernel - first, step), spread = dilation * step / stride;
  return {first, taps, spread, (taps - 1) * spread - (reach - first * dilation) / stride};
}

// Fills the phases of dx [N, H, W, C] and returns how many there are. `empty`: dy has no pixels, so no phase has taps.
inline int make_phases(const Geometry& g, const int64_t* dx, const int64_t* kernel, bool empty, Phase* phases) {
  int count = 0;
  for (int64_t py = 0; py < min64(g.stride[0], dx[1]); ++py) {
    for (int64_t px = 0; px < min64(g.stride[1], dx[2]); ++px) {
      PhaseAxis y = phase_axis(g, 0, py, kernel[0]), x = phase_axis(g, 1, px, kernel[1]);
      if (y.taps * x.taps == 0 || empty) y.taps = x.taps = 0;
      Phase& phase = phases[count++];
      phase.window = {y.taps, x.taps, 1, 1, y.before, x.before, y.spread, x.spread};
      phase.rows = ceil_div(dx[1] - py, g.stride[0]);
      phase.columns = ceil_div(dx[2] - px, g.stride[1]);
      phase.offset_y = py;
      phase.offset_x = px;
      phase.first_tap_y = y.first;
      phase.first_tap_x = x.first;
    }
  }
  return count;
}

// Where tap (ky, kx) of the kernel lies in the window of a phase, which is turned round; -1 if it is not one of its
// taps.
inline int64_t place_of_tap(const Geometry& g, const Phase& phase, int64_t ky, int64_t kx) {
  const Window& w = phase.window;
  const int64_t down = ky - phase.first_tap_y, across = kx - phase.first_tap_x;
  if (w.window_y == 0 || down < 0 || across < 0 || down % tap_step(g, 0) != 0 || across % tap_step(g, 1) != 0)
    return -1;
  return (w.window_y - 1 - down / tap_step(g, 0)) * w.window_x + w.window_x - 1 - across / tap_step(g, 1);
}

}  // namespace
}  // namespace pollux
