// Conversions between the eight dtypes, element by element; wide loops for the float pairs that training uses.
#pragma once
#include <stdint.h>
#include <string.h>

#if defined(__F16C__)
#include <immintrin.h>
#endif

namespace pollux {
namespace {

struct BFloat16 {
  uint16_t bits;
};
struct Float16 {
  uint16_t bits;
};
/// bool in memory: one byte, 0 or 1.
struct Bool {
  uint8_t value;
};

inline uint32_t float_bits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

inline float bits_float(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

inline float to_float(BFloat16 x) {
  return bits_float(static_cast<uint32_t>(x.bits) << 16);
}

/// Nearest even; NaN stays NaN (quiet).
inline BFloat16 to_bfloat16(float x) {
  const uint32_t bits = float_bits(x);
  const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  return {static_cast<uint16_t>(x != x ? bits >> 16 | 0x40 : rounded)};
}

inline float to_float(Float16 x) {
#if defined(__F16C__)
  return _cvtsh_ss(x.bits);
#else
  const uint32_t sign = static_cast<uint32_t>(x.bits & 0x8000) << 16;
  const uint32_t rest = x.bits & 0x7fff;
  if (rest < 0x400) return bits_float(sign | float_bits(static_cast<float>(rest) * 5.9604644775390625e-8f));  // 2^-24
  const uint32_t quiet = rest > 0x7c00 ? 0x400000u : 0;
  return bits_float(sign | (rest >= 0x7c00 ? 0x7f800000u | quiet | (rest & 0x3ff) << 13 : (rest << 13) + (112u << 23)));
#endif
}

/// Nearest even; beyond 65504 to infinity, as IEEE 754.
inline Float16 to_float16(float x) {
#if defined(__F16C__)
  return {static_cast<uint16_t>(_cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT))};
#else
  const uint32_t bits = float_bits(x), sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
  if (size > 0x7f800000u) return {static_cast<uint16_t>(sign | 0x7e00 | (size >> 13 & 0x3ff))};
  if (size >= 0x477ff000u) return {static_cast<uint16_t>(sign | 0x7c00)};
  if (size < 0x38800000u) {  // denormal: the addition rounds at 2^-24
    const float shifted = bits_float(size) + 0.5f;
    return {static_cast<uint16_t>(sign | (float_bits(shifted) - float_bits(0.5f)))};
  }
  return {static_cast<uint16_t>(sign | ((size + 0xfff + (size >> 13 & 1) - (112u << 23)) >> 13))};
#endif
}

// ---- the value of an element as a number, and back ---------------------------------------------------------------

inline float value_of(float x) {
  return x;
}
inline float value_of(BFloat16 x) {
  return to_float(x);
}
inline float value_of(Float16 x) {
  return to_float(x);
}
inline int32_t value_of(int8_t x) {
  return x;
}
inline int32_t value_of(uint8_t x) {
  return x;
}
inline int32_t value_of(int32_t x) {
  return x;
}
inline int64_t value_of(int64_t x) {
  return x;
}
inline int32_t value_of(Bool x) {
  return x.value != 0;
}

/// float or double to integer: toward zero, saturating, NaN to 0.
template <typename Integer, typename Real>
inline Integer saturate(Real x) {
  constexpr bool is_signed = static_cast<Integer>(-1) < 0;
  constexpr int width = 8 * sizeof(Integer) - (is_signed ? 1 : 0);
  constexpr Real above = static_cast<Real>(uint64_t{1} << (width - 1)) * 2;  // the first number too large
  constexpr Integer most = static_cast<Integer>(~uint64_t{0} >> (64 - width));
  constexpr Real least = is_signed ? -above : 0;
  const Real inside = x >= least && x < above ? x : 0;
  const Integer whole = static_cast<Integer>(inside);
  return x >= above ? most : x < least ? static_cast<Integer>(least) : whole;
}

/// Number to element. Integers wrap into narrower ones, as in C, NumPy and PyTorch.
template <typename To>
struct Make;
template <>
struct Make<float> {
  template <typename Number>
  static float of(Number x) {
    return static_cast<float>(x);
  }
};
template <>
struct Make<BFloat16> {
  template <typename Number>
  static BFloat16 of(Number x) {
    return to_bfloat16(static_cast<float>(x));
  }
};
template <>
struct Make<Float16> {
  template <typename Number>
  static Float16 of(Number x) {
    return to_float16(static_cast<float>(x));
  }
};
template <>
struct Make<Bool> {
  template <typename Number>
  static Bool of(Number x) {
    return {static_cast<uint8_t>(x != 0)};
  }
};
template <typename Integer>
struct MakeInteger {
  static Integer of(float x) { return saturate<Integer>(x); }
  static Integer of(double x) { return saturate<Integer>(x); }
  static Integer of(int32_t x) { return static_cast<Integer>(x); }
  static Integer of(int64_t x) { return static_cast<Integer>(x); }
};
template <>
struct Make<int8_t> : MakeInteger<int8_t> {};
template <>
struct Make<uint8_t> : MakeInteger<uint8_t> {};
template <>
struct Make<int32_t> : MakeInteger<int32_t> {};
template <>
struct Make<int64_t> : MakeInteger<int64_t> {};

/// Calls visit(zero of the element type) for a dtype.
template <typename Visit>
inline auto visit_dtype(int32_t dtype, const Visit& visit) {
  switch (dtype) {
    case 0:
      return visit(float{});
    case 1:
      return visit(BFloat16{});
    case 2:
      return visit(Float16{});
    case 3:
      return visit(int8_t{});
    case 4:
      return visit(uint8_t{});
    case 5:
      return visit(int32_t{});
    case 6:
      return visit(int64_t{});
    default:
      return visit(Bool{});
  }
}

/// Writes a number, converted to `dtype`, to one element.
inline void write_element(int32_t dtype, double number, void* to) {
  visit_dtype(dtype, [&](auto zero) {
    zero = Make<decltype(zero)>::of(number);
    memcpy(to, &zero, sizeof zero);
  });
}

}  // namespace
}  // namespace pollux
