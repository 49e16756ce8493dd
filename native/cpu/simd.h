// A thin vector layer: Floats is a vector of 1 (scalar), 8 (AVX2) or 16 (AVX-512) floats, Mask the result of a
// comparison, Ints the integers of the same width. Generic code is written once against these names.
//
// Everything has internal linkage (see kernel.h). The build uses -ffp-contract=off, so a product and a sum fuse only
// where fma() is written. Functions on top of this layer (exp, log, ...) are in simd_math.h.
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

namespace pollux {
namespace {

#if defined(__AVX512F__)

struct Floats {
  __m512 v;
};
struct Ints {
  __m512i v;
};
struct Mask {
  __mmask16 v;
};
constexpr int lanes = 16;

inline Floats broadcast(float x) { return {_mm512_set1_ps(x)}; }
inline Floats load(const float* p) { return {_mm512_loadu_ps(p)}; }
inline void store(float* p, Floats a) { _mm512_storeu_ps(p, a.v); }
inline Mask first_lanes(int n) { return {static_cast<__mmask16>((1u << n) - 1)}; }
/// The first n < lanes floats; zero in the others. Memory behind them is not touched.
inline Floats load_tail(const float* p, int n) { return {_mm512_maskz_loadu_ps(first_lanes(n).v, p)}; }
inline void store_tail(float* p, Floats a, int n) { _mm512_mask_storeu_ps(p, first_lanes(n).v, a.v); }

inline Floats operator+(Floats a, Floats b) { return {_mm512_add_ps(a.v, b.v)}; }
inline Floats operator-(Floats a, Floats b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline Floats operator*(Floats a, Floats b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline Floats operator/(Floats a, Floats b) { return {_mm512_div_ps(a.v, b.v)}; }
inline Floats fma(Floats a, Floats b, Floats c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline Floats sqrt(Floats a) { return {_mm512_sqrt_ps(a.v)}; }
/// The smaller and the larger; the second operand where either is NaN.
inline Floats lesser(Floats a, Floats b) { return {_mm512_min_ps(a.v, b.v)}; }
inline Floats greater(Floats a, Floats b) { return {_mm512_max_ps(a.v, b.v)}; }
inline Floats round(Floats a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
inline Floats floor(Floats a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)}; }
inline Floats ceil(Floats a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)}; }

inline Mask operator<(Floats a, Floats b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
inline Mask operator<=(Floats a, Floats b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)}; }
inline Mask operator==(Floats a, Floats b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
inline Mask operator!=(Floats a, Floats b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_NEQ_UQ)}; }
inline Mask operator|(Mask a, Mask b) { return {static_cast<__mmask16>(a.v | b.v)}; }
inline Mask operator&(Mask a, Mask b) { return {static_cast<__mmask16>(a.v & b.v)}; }
inline bool any(Mask a) { return a.v != 0; }
inline Floats select(Mask m, Floats yes, Floats no) { return {_mm512_mask_blend_ps(m.v, no.v, yes.v)}; }

inline Ints broadcast_int(int32_t x) { return {_mm512_set1_epi32(x)}; }
inline Ints to_ints(Floats a) { return {_mm512_cvtps_epi32(a.v)}; }  ///< nearest even; INT32_MIN outside int32
inline Floats to_floats(Ints a) { return {_mm512_cvtepi32_ps(a.v)}; }
inline Ints bits(Floats a) { return {_mm512_castps_si512(a.v)}; }
inline Floats from_bits(Ints a) { return {_mm512_castsi512_ps(a.v)}; }
inline Ints operator+(Ints a, Ints b) { return {_mm512_add_epi32(a.v, b.v)}; }
inline Ints operator-(Ints a, Ints b) { return {_mm512_sub_epi32(a.v, b.v)}; }
inline Ints operator&(Ints a, Ints b) { return {_mm512_and_si512(a.v, b.v)}; }
inline Ints operator|(Ints a, Ints b) { return {_mm512_or_si512(a.v, b.v)}; }
inline Ints operator^(Ints a, Ints b) { return {_mm512_xor_si512(a.v, b.v)}; }
template <int n>
inline Ints shift_left(Ints a) { return {_mm512_slli_epi32(a.v, n)}; }
template <int n>
inline Ints shift_right(Ints a) { return {_mm512_srai_epi32(a.v, n)}; }  ///< arithmetic
inline Mask operator==(Ints a, Ints b) { return {_mm512_cmpeq_epi32_mask(a.v, b.v)}; }

#elif defined(__AVX2__)

struct Floats {
  __m256 v;
};
struct Ints {
  __m256i v;
};
struct Mask {
  __m256 v;
};
constexpr int lanes = 8;

inline Floats broadcast(float x) { return {_mm256_set1_ps(x)}; }
inline Floats load(const float* p) { return {_mm256_loadu_ps(p)}; }
inline void store(float* p, Floats a) { _mm256_storeu_ps(p, a.v); }
inline Mask first_lanes(int n) {
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(n), index))};
}
/// The first n < lanes floats; zero in the others. Memory behind them is not touched.
inline Floats load_tail(const float* p, int n) { return {_mm256_maskload_ps(p, _mm256_castps_si256(first_lanes(n).v))}; }
inline void store_tail(float* p, Floats a, int n) { _mm256_maskstore_ps(p, _mm256_castps_si256(first_lanes(n).v), a.v); }

inline Floats operator+(Floats a, Floats b) { return {_mm256_add_ps(a.v, b.v)}; }
inline Floats operator-(Floats a, Floats b) { return {_mm256_sub_ps(a.v, b.v)}; }
inline Floats operator*(Floats a, Floats b) { return {_mm256_mul_ps(a.v, b.v)}; }
inline Floats operator/(Floats a, Floats b) { return {_mm256_div_ps(a.v, b.v)}; }
inline Floats fma(Floats a, Floats b, Floats c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
inline Floats sqrt(Floats a) { return {_mm256_sqrt_ps(a.v)}; }
/// The smaller and the larger; the second operand where either is NaN.
inline Floats lesser(Floats a, Floats b) { return {_mm256_min_ps(a.v, b.v)}; }
inline Floats greater(Floats a, Floats b) { return {_mm256_max_ps(a.v, b.v)}; }
inline Floats round(Floats a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
inline Floats floor(Floats a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)}; }
inline Floats ceil(Floats a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)}; }

inline Mask operator<(Floats a, Floats b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
inline Mask operator<=(Floats a, Floats b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LE_OQ)}; }
inline Mask operator==(Floats a, Floats b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ)}; }
inline Mask operator!=(Floats a, Floats b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_NEQ_UQ)}; }
inline Mask operator|(Mask a, Mask b) { return {_mm256_or_ps(a.v, b.v)}; }
inline Mask operator&(Mask a, Mask b) { return {_mm256_and_ps(a.v, b.v)}; }
inline bool any(Mask a) { return _mm256_movemask_ps(a.v) != 0; }
inline Floats select(Mask m, Floats yes, Floats no) { return {_mm256_blendv_ps(no.v, yes.v, m.v)}; }

inline Ints broadcast_int(int32_t x) { return {_mm256_set1_epi32(x)}; }
inline Ints to_ints(Floats a) { return {_mm256_cvtps_epi32(a.v)}; }  ///< nearest even; INT32_MIN outside int32
inline Floats to_floats(Ints a) { return {_mm256_cvtepi32_ps(a.v)}; }
inline Ints bits(Floats a) { return {_mm256_castps_si256(a.v)}; }
inline Floats from_bits(Ints a) { return {_mm256_castsi256_ps(a.v)}; }
inline Ints operator+(Ints a, Ints b) { return {_mm256_add_epi32(a.v, b.v)}; }
inline Ints operator-(Ints a, Ints b) { return {_mm256_sub_epi32(a.v, b.v)}; }
inline Ints operator&(Ints a, Ints b) { return {_mm256_and_si256(a.v, b.v)}; }
inline Ints operator|(Ints a, Ints b) { return {_mm256_or_si256(a.v, b.v)}; }
inline Ints operator^(Ints a, Ints b) { return {_mm256_xor_si256(a.v, b.v)}; }
template <int n>
inline Ints shift_left(Ints a) { return {_mm256_slli_epi32(a.v, n)}; }
template <int n>
inline Ints shift_right(Ints a) { return {_mm256_srai_epi32(a.v, n)}; }  ///< arithmetic
inline Mask operator==(Ints a, Ints b) { return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(a.v, b.v))}; }

#else

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

inline Floats broadcast(float x) { return {x}; }
inline Floats load(const float* p) { return {*p}; }
inline void store(float* p, Floats a) { *p = a.v; }
inline Mask first_lanes(int n) { return {n > 0}; }
/// The first n < lanes floats; zero in the others. Memory behind them is not touched.
inline Floats load_tail(const float* p, int n) { return {n > 0 ? *p : 0.0f}; }
inline void store_tail(float* p, Floats a, int n) {
  if (n > 0) *p = a.v;
}

inline Floats operator+(Floats a, Floats b) { return {a.v + b.v}; }
inline Floats operator-(Floats a, Floats b) { return {a.v - b.v}; }
inline Floats operator*(Floats a, Floats b) { return {a.v * b.v}; }
inline Floats operator/(Floats a, Floats b) { return {a.v / b.v}; }
inline Floats fma(Floats a, Floats b, Floats c) { return {__builtin_fmaf(a.v, b.v, c.v)}; }
inline Floats sqrt(Floats a) { return {__builtin_sqrtf(a.v)}; }
/// The smaller and the larger; the second operand where either is NaN.
inline Floats lesser(Floats a, Floats b) { return {a.v < b.v ? a.v : b.v}; }
inline Floats greater(Floats a, Floats b) { return {a.v > b.v ? a.v : b.v}; }
inline Floats round(Floats a) { return {__builtin_rintf(a.v)}; }
inline Floats floor(Floats a) { return {__builtin_floorf(a.v)}; }
inline Floats ceil(Floats a) { return {__builtin_ceilf(a.v)}; }

inline Mask operator<(Floats a, Floats b) { return {a.v < b.v}; }
inline Mask operator<=(Floats a, Floats b) { return {a.v <= b.v}; }
inline Mask operator==(Floats a, Floats b) { return {a.v == b.v}; }
inline Mask operator!=(Floats a, Floats b) { return {a.v != b.v}; }
inline Mask operator|(Mask a, Mask b) { return {a.v || b.v}; }
inline Mask operator&(Mask a, Mask b) { return {a.v && b.v}; }
inline bool any(Mask a) { return a.v; }
inline Floats select(Mask m, Floats yes, Floats no) { return m.v ? yes : no; }

inline Ints broadcast_int(int32_t x) { return {x}; }
inline Ints to_ints(Floats a) {  ///< nearest even; INT32_MIN outside int32
  const float r = __builtin_rintf(a.v);
  return {r >= -2147483648.0f && r < 2147483648.0f ? static_cast<int32_t>(r) : INT32_MIN};
}
inline Floats to_floats(Ints a) { return {static_cast<float>(a.v)}; }
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
inline Ints operator+(Ints a, Ints b) { return {static_cast<int32_t>(static_cast<uint32_t>(a.v) + static_cast<uint32_t>(b.v))}; }
inline Ints operator-(Ints a, Ints b) { return {static_cast<int32_t>(static_cast<uint32_t>(a.v) - static_cast<uint32_t>(b.v))}; }
inline Ints operator&(Ints a, Ints b) { return {a.v & b.v}; }
inline Ints operator|(Ints a, Ints b) { return {a.v | b.v}; }
inline Ints operator^(Ints a, Ints b) { return {a.v ^ b.v}; }
template <int n>
inline Ints shift_left(Ints a) { return {static_cast<int32_t>(static_cast<uint32_t>(a.v) << n)}; }
template <int n>
inline Ints shift_right(Ints a) { return {a.v >> n}; }  ///< arithmetic
inline Mask operator==(Ints a, Ints b) { return {a.v == b.v}; }

#endif

// ---- the same at every level -------------------------------------------------------------------------------------

inline Mask operator>(Floats a, Floats b) { return b < a; }
inline Mask operator>=(Floats a, Floats b) { return b <= a; }
inline Mask is_nan(Floats a) { return a != a; }
inline Floats zero() { return broadcast(0.0f); }
inline Floats absolute(Floats a) { return from_bits(bits(a) & broadcast_int(0x7fffffff)); }
inline Floats negate(Floats a) { return from_bits(bits(a) ^ broadcast_int(INT32_MIN)); }
/// |magnitude| with the sign of `sign`.
inline Floats copy_sign(Floats magnitude, Floats sign) {
  return from_bits((bits(magnitude) & broadcast_int(0x7fffffff)) | (bits(sign) & broadcast_int(INT32_MIN)));
}
/// NaN where either operand is NaN (PyTorch and NumPy).
inline Floats minimum(Floats a, Floats b) { return select(is_nan(a), a, lesser(a, b)); }
inline Floats maximum(Floats a, Floats b) { return select(is_nan(a), a, greater(a, b)); }

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
inline Floats load_some(const float* p, int n) { return n == lanes ? load(p) : load_tail(p, n); }
inline void store_some(float* p, Floats a, int n) { n == lanes ? store(p, a) : store_tail(p, a, n); }

}  // namespace
}  // namespace pollux
