// exp, log, tanh, ... of a vector, within about 2 ulp over the whole range, with the NaN, infinity and denormal
// behaviour of the C library. The polynomials are minimax fits (Lawson's iteration) on the reduced ranges named beside
// them. All levels evaluate the same operations in the same order, so the bits do not depend on the level.
#pragma once
#include "simd.h"

namespace pollux {
namespace {

/// c[0] + c[1] x + ... by Horner's rule with fused steps.
template <int count>
inline Floats polynomial(Floats x, const float (&c)[count]) {
  Floats y = broadcast(c[count - 1]);
  for (int i = count - 2; i >= 0; --i) y = fma(y, x, broadcast(c[i]));
  return y;
}

/// 2^n for -126 <= n <= 127.
inline Floats power_of_two(Ints n) {
  return from_bits(shift_left<23>(n + broadcast_int(127)));
}

/// x = n ln 2 + r with |r| <= ln 2 / 2; returns (e^r - 1 - r) / r^2 and the parts.
inline Floats exp_tail(Floats x, Floats* n, Floats* r) {
  constexpr float tail[] = {
      0.5f, 1.666666716e-01f, 4.166635498e-02f, 8.333273232e-03f, 1.394098974e-03f, 1.991416793e-04f};
  *n = round(x * broadcast(1.44269504f));
  *r = fma(*n, broadcast(-6.931471825e-01f), x);
  *r = fma(*n, broadcast(1.904654212e-09f), *r);
  return polynomial(*r, tail);
}

inline Floats exp(Floats x) {
  // lesser() and greater() give back x where it is NaN. Beyond the bounds the result is 0 or infinity anyway.
  const Floats bounded = greater(broadcast(-104.0f), lesser(broadcast(89.0f), x));
  Floats n, r;
  const Floats tail = exp_tail(bounded, &n, &r);
  const Floats e = fma(r * r, tail, r) + broadcast(1.0f);
  // Two factors reach 2^128 (infinity) and the denormals, where one would overflow its exponent field.
  const Ints whole = to_ints(n), half = shift_right<1>(whole);
  return e * power_of_two(half) * power_of_two(whole - half);
}

/// e^x - 1.
inline Floats expm1(Floats x) {
  const Floats bounded = greater(broadcast(-18.0f), lesser(broadcast(89.0f), x));
  Floats n, r;
  const Floats tail = exp_tail(bounded, &n, &r);
  const Floats p = fma(r * r, tail, r);
  // 2^n (p + 1) - 1 = 2 (2^(n-1) p + (2^(n-1) - 1/2)): the halved power stays finite for n = 128.
  const Floats s = power_of_two(to_ints(n) - broadcast_int(1));
  const Floats y = fma(s, p, s - broadcast(0.5f));
  return select(n == zero(), select(x == zero(), x, p), y + y);
}

/// Natural logarithm; -infinity at 0, NaN below.
inline Floats log(Floats x) {
  constexpr float tail[] = {3.333331347e-01f,  -2.500000894e-01f, 2.000212371e-01f,
                            -1.666800529e-01f, 1.421945393e-01f,  -1.240534037e-01f,
                            1.188869178e-01f,  -1.167751029e-01f, 6.747735292e-02f};
  const Mask denormal = x < broadcast(1.17549435e-38f);
  const Floats normal = select(denormal, x * broadcast(8388608.0f), x);
  // m in [sqrt(1/2), sqrt(2)): subtracting the bits of sqrt(1/2) makes the exponent field round the right way.
  const Ints shifted = bits(normal) - broadcast_int(0x3f3504f3);
  const Ints exponent = shift_right<23>(shifted);
  const Floats m = from_bits(bits(normal) - shift_left<23>(exponent));
  const Floats n = to_floats(exponent) + select(denormal, broadcast(-23.0f), zero());
  const Floats f = m - broadcast(1.0f);
  const Floats z = f * f;
  Floats y = fma(z * f, polynomial(f, tail), n * broadcast(-2.121944417e-04f));
  y = fma(z, broadcast(-0.5f), y) + f;
  y = fma(n, broadcast(0.693359375f), y);
  y = select(x == broadcast(INFINITY), x, y);
  y = select(x == zero(), broadcast(-INFINITY), y);
  return select(x >= zero(), y, broadcast(NAN));
}

/// ln(1 + x).
inline Floats log1p(Floats x) {
  const Floats u = broadcast(1.0f) + x;
  const Floats lost = x - (u - broadcast(1.0f));  // what the rounding of u dropped
  const Floats y = log(u);
  // lost / u is no number at the ends, and -0 must stay.
  const Floats corrected = select(u > zero(), y + lost / u, y);
  return select(x == broadcast(INFINITY), x, select(x == zero(), x, corrected));
}

inline Floats tanh(Floats x) {
  const Floats e = expm1(lesser(broadcast(20.0f), absolute(x) + absolute(x)));
  return copy_sign(e / (e + broadcast(2.0f)), x);
}

/// 1 / (1 + e^-x), without overflow on either side.
inline Floats sigmoid(Floats x) {
  const Floats e = exp(negate(absolute(x)));
  return select(x < zero(), e, broadcast(1.0f)) / (broadcast(1.0f) + e);
}

inline Floats erf(Floats x) {
  constexpr float near[] = {1.283791661e-01f, -3.761263490e-01f, 1.128369421e-01f, -2.685927041e-02f,
                            5.200634245e-03f, -8.137437981e-04f, 8.345227252e-05f};  // erf(x) / x - 1, in x^2 <= 0.93^2
  constexpr float far[] = {-1.705509203e-04f, 1.129495144e+00f,  6.333866715e-01f, 1.082366034e-01f, -2.509148605e-02f,
                           4.160522949e-03f,  -4.323021276e-04f, 2.090947419e-05f};  // -ln erfc, [0.9, 4]
  const Floats t = absolute(x);
  const Floats inside = fma(x, polynomial(x * x, near), x);
  const Floats outside = broadcast(1.0f) - exp(negate(polynomial(lesser(broadcast(4.0f), t), far)));
  return select(t < broadcast(0.92f), inside, copy_sign(outside, x));
}

/// sin (quarter_turns = 0) or cos (1). Arguments beyond 2^15 quarter turns go through the C library, lane by lane.
template <int quarter_turns>
inline Floats sine(Floats x) {
  constexpr float odd[] = {-1.666666716e-01f, 8.333329111e-03f, -1.983932452e-04f, 2.718216820e-06f};
  constexpr float even[] = {4.166664556e-02f, -1.388735953e-03f, 2.443753328e-05f};
  if (any(absolute(x) > broadcast(51471.0f))) {
    float values[lanes];
    store(values, x);
    for (int i = 0; i < lanes; ++i) values[i] = quarter_turns ? ::cosf(values[i]) : ::sinf(values[i]);
    return load(values);
  }
  const Floats n = round(x * broadcast(6.366197467e-01f));
  Floats r = fma(n, broadcast(-1.570796371e+00f), x);
  r = fma(n, broadcast(4.371138829e-08f), r);
  r = fma(n, broadcast(1.715124510e-15f), r);
  const Floats z = r * r;
  const Floats s = fma(r * z, polynomial(z, odd), r);
  const Floats c = fma(z * z, polynomial(z, even), fma(z, broadcast(-0.5f), broadcast(1.0f)));
  const Ints quadrant = to_ints(n) + broadcast_int(quarter_turns);
  const Floats y = select((quadrant & broadcast_int(1)) == broadcast_int(1), c, s);
  return from_bits(bits(y) ^ shift_left<30>(quadrant & broadcast_int(2)));
}

inline Floats sin(Floats x) {
  return select(x == zero(), x, sine<0>(x));
}
inline Floats cos(Floats x) {
  return sine<1>(x);
}

inline Floats softplus(Floats x) {
  return greater(x, zero()) + log1p(exp(negate(absolute(x))));
}
inline Floats silu(Floats x) {
  return x * sigmoid(x);
}

/// x Phi(x), by the error function.
inline Floats gelu(Floats x) {
  return broadcast(0.5f) * x * (broadcast(1.0f) + erf(x * broadcast(0.707106781f)));
}

/// The tanh form of gelu (Hendrycks and Gimpel 2016): x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
inline Floats gelu_tanh(Floats x) {
  const Floats inner = broadcast(0.797884561f) * fma(broadcast(0.044715f) * x * x, x, x);
  return broadcast(0.5f) * x * (broadcast(1.0f) + tanh(inner));
}

}  // namespace
}  // namespace pollux
