// A thin vector layer: Floats is a vector of 1 (scalar), 8 (AVX2) or 16 (AVX-512) floats, Mask the result of a
// comparison, Ints the integers of the same width. Generic code is written once against these names.
//
// Everything has internal linkage (see kernel.h). The build uses -ffp-contract=off, so a product and a sum fuse only
// where fma() is written. Functions on top of this layer (exp, log, ...) are in simd_math.h.
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#include "simd_avx512.h"
#elif defined(__AVX2__)
#include "simd_avx2.h"
#else
#include "simd_scalar.h"
#endif

namespace pollux {
namespace {

// ---- the same at every level -------------------------------------------------------------------------------------

inline Mask operator>(Floats a, Floats b) {
  return b < a;
}
inline Mask operator>=(Floats a, Floats b) {
  return b <= a;
}
inline Mask is_nan(Floats a) {
  return a != a;
}
inline Floats zero() {
  return broadcast(0.0f);
}
inline Floats absolute(Floats a) {
  return from_bits(bits(a) & broadcast_int(0x7fffffff));
}
inline Floats negate(Floats a) {
  return from_bits(bits(a) ^ broadcast_int(INT32_MIN));
}
/// |magnitude| with the sign of `sign`.
inline Floats copy_sign(Floats magnitude, Floats sign) {
  return from_bits((bits(magnitude) & broadcast_int(0x7fffffff)) | (bits(sign) & broadcast_int(INT32_MIN)));
}
/// NaN where either operand is NaN (PyTorch and NumPy).
inline Floats minimum(Floats a, Floats b) {
  return select(is_nan(a), a, lesser(a, b));
}
inline Floats maximum(Floats a, Floats b) {
  return select(is_nan(a), a, greater(a, b));
}

/// Sum of the lanes, by halves: lane i + lane i + lanes/2, and so on.
inline float reduce_add(Floats a) {
  float values[lanes];
  store(values, a);
  for (int half = lanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) values[i] += values[i + half];
  return values[0];
}

/// Largest lane; NaN if any lane is.
inline float reduce_max(Floats a) {
  float values[lanes];
  store(values, a);
  float best = values[0];
  for (int i = 1; i < lanes; ++i) best = values[i] > best || values[i] != values[i] ? values[i] : best;
  return best;
}

/// Smallest lane; NaN if any lane is.
inline float reduce_min(Floats a) {
  float values[lanes];
  store(values, a);
  float best = values[0];
  for (int i = 1; i < lanes; ++i) best = values[i] < best || values[i] != values[i] ? values[i] : best;
  return best;
}

/// Calls body(first, count) for whole vectors of [0, n), then once for the tail, if any: count is `lanes` or the rest.
template <typename Body>
inline void for_each_vector(int64_t n, const Body& body) {
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) body(i, lanes);
  if (i < n) body(i, static_cast<int>(n - i));
}

/// load() for a full count, load_tail() otherwise; and the like for store.
inline Floats load_some(const float* p, int n) {
  return n == lanes ? load(p) : load_tail(p, n);
}
inline void store_some(float* p, Floats a, int n) {
  n == lanes ? store(p, a) : store_tail(p, a, n);
}

}  // namespace
}  // namespace pollux
