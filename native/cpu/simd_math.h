// exp, log, tanh, ... of a vector, within about 2 ulp over the whole range (tan 3.5), with the NaN, infinity and
// denormal behaviour of the C library. The polynomials are minimax fits (Lawson's iteration) on the reduced ranges
// named beside them. All levels evaluate the same operations in the same order, so the bits do not depend on the level.
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

/// 2^x.
inline Floats exp2(Floats x) {
  constexpr float tail[] = {
      0.5f, 1.666666716e-01f, 4.166635498e-02f, 8.333273232e-03f, 1.394098974e-03f, 1.991416793e-04f};
  const Floats bounded = greater(broadcast(-151.0f), lesser(broadcast(129.0f), x));
  const Floats n = round(bounded);
  const Floats r = (bounded - n) * broadcast(6.931471825e-01f);
  const Floats e = fma(r * r, polynomial(r, tail), r) + broadcast(1.0f);
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

/// x = 2^n m with m in [sqrt(1/2), sqrt(2)), for x > 0 and finite: returns m - 1.
inline Floats reduce_log(Floats x, Floats* n) {
  const Mask denormal = x < broadcast(1.17549435e-38f);
  const Floats normal = select(denormal, x * broadcast(8388608.0f), x);
  // Subtracting the bits of sqrt(1/2) makes the exponent field round the right way.
  const Ints exponent = shift_right<23>(bits(normal) - broadcast_int(0x3f3504f3));
  *n = to_floats(exponent) + select(denormal, broadcast(-23.0f), zero());
  return from_bits(bits(normal) - shift_left<23>(exponent)) - broadcast(1.0f);
}

/// ln(1 + f) + f^2 / 2 - f for the f of reduce_log.
inline Floats log_tail(Floats f) {
  constexpr float tail[] = {3.333331347e-01f,  -2.500000894e-01f, 2.000212371e-01f,
                            -1.666800529e-01f, 1.421945393e-01f,  -1.240534037e-01f,
                            1.188869178e-01f,  -1.167751029e-01f, 6.747735292e-02f};
  return f * f * f * polynomial(f, tail);
}

/// The logarithm y of a positive finite number, made that of any x: -infinity at 0, NaN below.
inline Floats log_ends(Floats x, Floats y) {
  y = select(x == broadcast(INFINITY), x, y);
  y = select(x == zero(), broadcast(-INFINITY), y);
  return select(x >= zero(), y, broadcast(NAN));
}

/// Natural logarithm.
inline Floats log(Floats x) {
  Floats n;
  const Floats f = reduce_log(x, &n);
  const Floats z = f * f;
  Floats y = log_tail(f) + n * broadcast(-2.121944417e-04f);
  y = fma(z, broadcast(-0.5f), y) + f;
  return log_ends(x, fma(n, broadcast(0.693359375f), y));
}

/// Logarithm to base 2: exact for powers of two.
inline Floats log2(Floats x) {
  Floats n;
  const Floats f = reduce_log(x, &n);
  const Floats y = fma(f * f, broadcast(-0.5f), log_tail(f)) + f;
  return log_ends(x, fma(y, broadcast(1.442695022e+00f), y * broadcast(1.925963033e-08f)) + n);
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

/// Whether arguments lie beyond 2^15 quarter turns: they go through the C library, lane by lane.
inline bool many_turns(Floats x) {
  return any(absolute(x) > broadcast(51471.0f));
}

/// Sine and cosine of what is left of x within an eighth of a turn; returns the nearest quarter turn.
inline Ints reduced_turn(Floats x, Floats* sine, Floats* cosine) {
  constexpr float odd[] = {-1.666666716e-01f, 8.333329111e-03f, -1.983932452e-04f, 2.718216820e-06f};
  constexpr float even[] = {4.166664556e-02f, -1.388735953e-03f, 2.443753328e-05f};
  const Floats n = round(x * broadcast(6.366197467e-01f));
  Floats r = fma(n, broadcast(-1.570796371e+00f), x);
  r = fma(n, broadcast(4.371138829e-08f), r);
  r = fma(n, broadcast(1.715124510e-15f), r);
  const Floats z = r * r;
  *sine = fma(r * z, polynomial(z, odd), r);
  *cosine = fma(z * z, polynomial(z, even), fma(z, broadcast(-0.5f), broadcast(1.0f)));
  return to_ints(n);
}

/// sin (quarter_turns = 0) or cos (1).
template <int quarter_turns>
inline Floats sine(Floats x) {
  if (many_turns(x)) {
    float values[lanes];
    store(values, x);
    for (int i = 0; i < lanes; ++i) values[i] = quarter_turns ? ::cosf(values[i]) : ::sinf(values[i]);
    return load(values);
  }
  Floats s, c;
  const Ints quadrant = reduced_turn(x, &s, &c) + broadcast_int(quarter_turns);
  const Floats y = select((quadrant & broadcast_int(1)) == broadcast_int(1), c, s);
  return from_bits(bits(y) ^ shift_left<30>(quadrant & broadcast_int(2)));
}

inline Floats sin(Floats x) {
  return select(x == zero(), x, sine<0>(x));
}
inline Floats cos(Floats x) {
  return sine<1>(x);
}

inline Floats tan(Floats x) {
  if (many_turns(x)) {
    float values[lanes];
    store(values, x);
    for (int i = 0; i < lanes; ++i) values[i] = ::tanf(values[i]);
    return load(values);
  }
  Floats s, c;
  const Mask odd = (reduced_turn(x, &s, &c) & broadcast_int(1)) == broadcast_int(1);
  return select(x == zero(), x, select(odd, negate(c), s) / select(odd, s, c));
}

/// The angle of the point (x, y).
inline Floats atan2(Floats y, Floats x) {
  constexpr float tail[] = {-3.333331645e-01f, 1.999846101e-01f, -1.424331069e-01f, 1.059207693e-01f,
                            -6.073607877e-02f};  // (atan(t) / t - 1) / t^2, |t| <= tan(pi / 8), in t^2
  const Floats a = absolute(y), b = absolute(x);
  const Floats low = lesser(a, b), high = greater(a, b);
  Floats q = select(low == high, broadcast(1.0f), low / high);
  q = select(high == zero(), zero(), q);
  const Mask far = q > broadcast(4.142135680e-01f);
  const Floats t = select(far, (q - broadcast(1.0f)) / (q + broadcast(1.0f)), q);
  const Floats z = t * t;
  Floats angle = fma(t * z, polynomial(z, tail), t);
  angle = select(far, broadcast(7.853981853e-01f) + (angle - broadcast(2.185569414e-08f)), angle);
  angle = select(a > b, broadcast(1.570796371e+00f) - (angle + broadcast(4.371138829e-08f)), angle);
  const Mask behind = copy_sign(broadcast(1.0f), x) < zero();
  angle = select(behind, broadcast(3.141592741e+00f) - (angle + broadcast(8.742277657e-08f)), angle);
  return select(is_nan(x) | is_nan(y), x + y, copy_sign(angle, y));
}
inline Floats atan(Floats x) {
  return atan2(x, broadcast(1.0f));
}

/// a - b floor(a / b): the sign is that of the divisor, as in Python, NumPy and PyTorch. Exact where a and b have one
/// sign.
inline Floats remainder(Floats a, Floats b) {
  const Floats quotient = a / b;
  const Mask plain = (absolute(quotient) < broadcast(4194304.0f)) & (absolute(b) < broadcast(INFINITY));
  if (any(select(plain, zero(), broadcast(1.0f)) != zero())) {
    float dividends[lanes], divisors[lanes];
    store(dividends, a);
    store(divisors, b);
    for (int i = 0; i < lanes; ++i) {
      const float r = ::fmodf(dividends[i], divisors[i]);
      dividends[i] = r != 0 && (r < 0) != (divisors[i] < 0) ? r + divisors[i] : r;
    }
    return load(dividends);
  }
  // The quotient may have been rounded up to an integer: then the rest lies on the other side of zero.
  const Floats n = floor(quotient);
  const Floats rest = fma(negate(n), b, a);
  const Mask beyond = ((rest < zero()) & (b > zero())) | ((rest > zero()) & (b < zero()));
  const Floats r = select(beyond, fma(broadcast(1.0f) - n, b, a), rest);
  return select(r == zero(), copy_sign(zero(), a), r);
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
