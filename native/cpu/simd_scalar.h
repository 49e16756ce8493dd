// The vector layer of native/cpu/simd.h on any machine: 1 lane.
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

namespace pollux {
namespace {

struct Floats {
  float v;
};
struct Ints {
  int32_t v;
};
struct Mask {
  bool v;
};
constexpr int lanes = 1;

inline Floats broadcast(float x) {
  return {x};
}
inline Floats load(const float* p) {
  return {*p};
}
inline void store(float* p, Floats a) {
  *p = a.v;
}
inline Mask first_lanes(int n) {
  return {n > 0};
}
/// The first n < lanes floats; zero in the others. Memory behind them is not touched.
inline Floats load_tail(const float* p, int n) {
  return {n > 0 ? *p : 0.0f};
}
inline void store_tail(float* p, Floats a, int n) {
  if (n > 0) *p = a.v;
}

inline Floats operator+(Floats a, Floats b) {
  return {a.v + b.v};
}
inline Floats operator-(Floats a, Floats b) {
  return {a.v - b.v};
}
inline Floats operator*(Floats a, Floats b) {
  return {a.v * b.v};
}
inline Floats operator/(Floats a, Floats b) {
  return {a.v / b.v};
}
inline Floats fma(Floats a, Floats b, Floats c) {
  return {__builtin_fmaf(a.v, b.v, c.v)};
}
inline Floats sqrt(Floats a) {
  return {__builtin_sqrtf(a.v)};
}
/// The smaller and the larger; the second operand where either is NaN.
inline Floats lesser(Floats a, Floats b) {
  return {a.v < b.v ? a.v : b.v};
}
inline Floats greater(Floats a, Floats b) {
  return {a.v > b.v ? a.v : b.v};
}
inline Floats round(Floats a) {
  return {__builtin_rintf(a.v)};
}
inline Floats floor(Floats a) {
  return {__builtin_floorf(a.v)};
}
inline Floats ceil(Floats a) {
  return {__builtin_ceilf(a.v)};
}

inline Mask operator<(Floats a, Floats b) {
  return {a.v < b.v};
}
inline Mask operator<=(Floats a, Floats b) {
  return {a.v <= b.v};
}
inline Mask operator==(Floats a, Floats b) {
  return {a.v == b.v};
}
inline Mask operator!=(Floats a, Floats b) {
  return {a.v != b.v};
}
inline Mask operator|(Mask a, Mask b) {
  return {a.v || b.v};
}
inline Mask operator&(Mask a, Mask b) {
  return {a.v && b.v};
}
inline bool any(Mask a) {
  return a.v;
}
inline Floats select(Mask m, Floats yes, Floats no) {
  return m.v ? yes : no;
}

inline Ints broadcast_int(int32_t x) {
  return {x};
}
inline Ints to_ints(Floats a) {  ///< nearest even; INT32_MIN outside int32
  const float r = __builtin_rintf(a.v);
  return {r >= -2147483648.0f && r < 2147483648.0f ? static_cast<int32_t>(r) : INT32_MIN};
}
inline Floats to_floats(Ints a) {
  return {static_cast<float>(a.v)};
}
inline Ints bits(Floats a) {
  Ints i;
  memcpy(&i, &a, sizeof i);
  return i;
}
inline Floats from_bits(Ints a) {
  Floats f;
  memcpy(&f, &a, sizeof f);
  return f;
}
// Through unsigned: the lanes wrap as the vector instructions do.
inline Ints operator+(Ints a, Ints b) {
  return {static_cast<int32_t>(static_cast<uint32_t>(a.v) + static_cast<uint32_t>(b.v))};
}
inline Ints operator-(Ints a, Ints b) {
  return {static_cast<int32_t>(static_cast<uint32_t>(a.v) - static_cast<uint32_t>(b.v))};
}
inline Ints operator&(Ints a, Ints b) {
  return {a.v & b.v};
}
inline Ints operator|(Ints a, Ints b) {
  return {a.v | b.v};
}
inline Ints operator^(Ints a, Ints b) {
  return {a.v ^ b.v};
}
template <int n>
inline Ints shift_left(Ints a) {
  return {static_cast<int32_t>(static_cast<uint32_t>(a.v) << n)};
}
template <int n>
inline Ints shift_right(Ints a) {
  return {a.v >> n};
}  ///< arithmetic
inline Mask operator==(Ints a, Ints b) {
  return {a.v == b.v};
}

}  // namespace
}  // namespace pollux
