// The vector layer of native/cpu/simd.h on AVX2 with FMA: 8 lanes.
#pragma once
#include <immintrin.h>
#include <stdint.h>

namespace pollux {
namespace {

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

inline Floats broadcast(float x) {
  return {_mm256_set1_ps(x)};
}
inline Floats load(const float* p) {
  return {_mm256_loadu_ps(p)};
}
inline void store(float* p, Floats a) {
  _mm256_storeu_ps(p, a.v);
}
inline Mask first_lanes(int n) {
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(n), index))};
}
/// The first n < lanes floats; zero in the others. Memory behind them is not touched.
inline Floats load_tail(const float* p, int n) {
  return {_mm256_maskload_ps(p, _mm256_castps_si256(first_lanes(n).v))};
}
inline void store_tail(float* p, Floats a, int n) {
  _mm256_maskstore_ps(p, _mm256_castps_si256(first_lanes(n).v), a.v);
}

inline Floats operator+(Floats a, Floats b) {
  return {_mm256_add_ps(a.v, b.v)};
}
inline Floats operator-(Floats a, Floats b) {
  return {_mm256_sub_ps(a.v, b.v)};
}
inline Floats operator*(Floats a, Floats b) {
  return {_mm256_mul_ps(a.v, b.v)};
}
inline Floats operator/(Floats a, Floats b) {
  return {_mm256_div_ps(a.v, b.v)};
}
inline Floats fma(Floats a, Floats b, Floats c) {
  return {_mm256_fmadd_ps(a.v, b.v, c.v)};
}
inline Floats sqrt(Floats a) {
  return {_mm256_sqrt_ps(a.v)};
}
/// The smaller and the larger; the second operand where either is NaN.
inline Floats lesser(Floats a, Floats b) {
  return {_mm256_min_ps(a.v, b.v)};
}
inline Floats greater(Floats a, Floats b) {
  return {_mm256_max_ps(a.v, b.v)};
}
inline Floats round(Floats a) {
  return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
inline Floats floor(Floats a) {
  return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
}
inline Floats ceil(Floats a) {
  return {_mm256_round_ps(a.v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)};
}

inline Mask operator<(Floats a, Floats b) {
  return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)};
}
inline Mask operator<=(Floats a, Floats b) {
  return {_mm256_cmp_ps(a.v, b.v, _CMP_LE_OQ)};
}
inline Mask operator==(Floats a, Floats b) {
  return {_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ)};
}
inline Mask operator!=(Floats a, Floats b) {
  return {_mm256_cmp_ps(a.v, b.v, _CMP_NEQ_UQ)};
}
inline Mask operator|(Mask a, Mask b) {
  return {_mm256_or_ps(a.v, b.v)};
}
inline Mask operator&(Mask a, Mask b) {
  return {_mm256_and_ps(a.v, b.v)};
}
inline bool any(Mask a) {
  return _mm256_movemask_ps(a.v) != 0;
}
inline Floats select(Mask m, Floats yes, Floats no) {
  return {_mm256_blendv_ps(no.v, yes.v, m.v)};
}

inline Ints broadcast_int(int32_t x) {
  return {_mm256_set1_epi32(x)};
}
inline Ints to_ints(Floats a) {
  return {_mm256_cvtps_epi32(a.v)};
}  ///< nearest even; INT32_MIN outside int32
inline Floats to_floats(Ints a) {
  return {_mm256_cvtepi32_ps(a.v)};
}
inline Ints bits(Floats a) {
  return {_mm256_castps_si256(a.v)};
}
inline Floats from_bits(Ints a) {
  return {_mm256_castsi256_ps(a.v)};
}
inline Ints operator+(Ints a, Ints b) {
  return {_mm256_add_epi32(a.v, b.v)};
}
inline Ints operator-(Ints a, Ints b) {
  return {_mm256_sub_epi32(a.v, b.v)};
}
inline Ints operator&(Ints a, Ints b) {
  return {_mm256_and_si256(a.v, b.v)};
}
inline Ints operator|(Ints a, Ints b) {
  return {_mm256_or_si256(a.v, b.v)};
}
inline Ints operator^(Ints a, Ints b) {
  return {_mm256_xor_si256(a.v, b.v)};
}
template <int n>
inline Ints shift_left(Ints a) {
  return {_mm256_slli_epi32(a.v, n)};
}
template <int n>
inline Ints shift_right(Ints a) {
  return {_mm256_srai_epi32(a.v, n)};
}  ///< arithmetic
inline Mask operator==(Ints a, Ints b) {
  return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(a.v, b.v))};
}

}  // namespace
}  // namespace pollux
