// The vector layer of native/cpu/simd.h on AVX-512: 16 lanes.
#pragma once
#include <immintrin.h>
#include <stdint.h>

namespace pollux {
namespace {

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

inline Floats broadcast(float x) {
  return {_mm512_set1_ps(x)};
}
inline Floats load(const float* p) {
  return {_mm512_loadu_ps(p)};
}
inline void store(float* p, Floats a) {
  _mm512_storeu_ps(p, a.v);
}
inline Mask first_lanes(int n) {
  return {static_cast<__mmask16>((1u << n) - 1)};
}
/// The first n < lanes floats; zero in the others. Memory behind them is not touched.
inline Floats load_tail(const float* p, int n) {
  return {_mm512_maskz_loadu_ps(first_lanes(n).v, p)};
}
inline void store_tail(float* p, Floats a, int n) {
  _mm512_mask_storeu_ps(p, first_lanes(n).v, a.v);
}

inline Floats operator+(Floats a, Floats b) {
  return {_mm512_add_ps(a.v, b.v)};
}
inline Floats operator-(Floats a, Floats b) {
  return {_mm512_sub_ps(a.v, b.v)};
}
inline Floats operator*(Floats a, Floats b) {
  return {_mm512_mul_ps(a.v, b.v)};
}
inline Floats operator/(Floats a, Floats b) {
  return {_mm512_div_ps(a.v, b.v)};
}
inline Floats fma(Floats a, Floats b, Floats c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
inline Floats sqrt(Floats a) {
  return {_mm512_sqrt_ps(a.v)};
}
/// The smaller and the larger; the second operand where either is NaN.
inline Floats lesser(Floats a, Floats b) {
  return {_mm512_min_ps(a.v, b.v)};
}
inline Floats greater(Floats a, Floats b) {
  return {_mm512_max_ps(a.v, b.v)};
}
inline Floats round(Floats a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
inline Floats floor(Floats a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
}
inline Floats ceil(Floats a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)};
}

inline Mask operator<(Floats a, Floats b) {
  return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)};
}
inline Mask operator<=(Floats a, Floats b) {
  return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)};
}
inline Mask operator==(Floats a, Floats b) {
  return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)};
}
inline Mask operator!=(Floats a, Floats b) {
  return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_NEQ_UQ)};
}
inline Mask operator|(Mask a, Mask b) {
  return {static_cast<__mmask16>(a.v | b.v)};
}
inline Mask operator&(Mask a, Mask b) {
  return {static_cast<__mmask16>(a.v & b.v)};
}
inline bool any(Mask a) {
  return a.v != 0;
}
inline Floats select(Mask m, Floats yes, Floats no) {
  return {_mm512_mask_blend_ps(m.v, no.v, yes.v)};
}

inline Ints broadcast_int(int32_t x) {
  return {_mm512_set1_epi32(x)};
}
inline Ints to_ints(Floats a) {
  return {_mm512_cvtps_epi32(a.v)};
}  ///< nearest even; INT32_MIN outside int32
inline Floats to_floats(Ints a) {
  return {_mm512_cvtepi32_ps(a.v)};
}
inline Ints bits(Floats a) {
  return {_mm512_castps_si512(a.v)};
}
inline Floats from_bits(Ints a) {
  return {_mm512_castsi512_ps(a.v)};
}
inline Ints operator+(Ints a, Ints b) {
  return {_mm512_add_epi32(a.v, b.v)};
}
inline Ints operator-(Ints a, Ints b) {
  return {_mm512_sub_epi32(a.v, b.v)};
}
inline Ints operator&(Ints a, Ints b) {
  return {_mm512_and_si512(a.v, b.v)};
}
inline Ints operator|(Ints a, Ints b) {
  return {_mm512_or_si512(a.v, b.v)};
}
inline Ints operator^(Ints a, Ints b) {
  return {_mm512_xor_si512(a.v, b.v)};
}
template <int n>
inline Ints shift_left(Ints a) {
  return {_mm512_slli_epi32(a.v, n)};
}
template <int n>
inline Ints shift_right(Ints a) {
  return {_mm512_srai_epi32(a.v, n)};
}  ///< arithmetic
inline Mask operator==(Ints a, Ints b) {
  return {_mm512_cmpeq_epi32_mask(a.v, b.v)};
}

}  // namespace
}  // namespace pollux
