// Special functions that are called seldom: element by element, in double, so that their floats are nearly exact.
#pragma once
#include <float.h>
#include <math.h>
#include <stdint.h>

namespace pollux {
namespace {

/// The x with erf(x) = y: infinite at -1 and 1, NaN beyond. A first guess (Winitzki 2008), then Newton's rule with the
/// second derivative (Halley), on erfc where erf is near 1.
inline float inverse_erf(float y) {
  const double t = ::fabs(static_cast<double>(y));
  if (!(t < 1)) return t == 1 ? ::copysignf(INFINITY, y) : NAN;
  if (t == 0) return y;
  const double log_rest = ::log1p(-t * t), half = 2 / (M_PI * 0.147) + log_rest / 2;
  double x = ::sqrt(::sqrt(half * half - log_rest / 0.147) - half);
  for (int i = 0; i < 3; ++i) {
    const double error = t < 0.5 ? ::erf(x) - t : (1 - t) - ::erfc(x);
    const double step = error / (M_2_SQRTPI * ::exp(-x * x));
    x -= step / (1 + x * step);
  }
  return static_cast<float>(::copysign(x, static_cast<double>(y)));
}

/// The derivative of ln Gamma. -infinity at 0 (infinity at -0) and NaN at negative integers, as PyTorch.
inline double digamma(double x) {
  if (x == 0) return ::copysign(INFINITY, -x);
  double shift = 0;
  if (x < 0) {
    if (x == ::floor(x)) return NAN;
    shift = -M_PI / ::tan(M_PI * (x - ::rint(x)));  // the reflection formula; tan has period pi
    x = 1 - x;
  }
  for (; x < 10; x += 1) shift -= 1 / x;
  const double z = 1 / (x * x);
  const double tail =
      z * (1.0 / 12 - z * (1.0 / 120 - z * (1.0 / 252 - z * (1.0 / 240 - z * (1.0 / 132 - z * (691.0 / 32760))))));
  return shift + ::log(x) - 0.5 / x - tail;
}

/// The n-th derivative of digamma, n >= 1: (-1)^(n + 1) n! sum 1 / (x + k)^(n + 1) over k >= 0, the far end of the sum
/// by the formula of Euler and Maclaurin. Infinite at 0 and negative integers; NaN below -1000.
inline double polygamma(int64_t n, double x) {
  const double s = static_cast<double>(n + 1);
  if (x <= 0 && x == ::floor(x)) return x < -DBL_MAX ? NAN : n % 2 ? INFINITY : -INFINITY;
  if (!(x > -1000)) return NAN;
  double sum = 0;
  for (; x < 12 + s; x += 1) sum += 1 / ::pow(x, s);
  if (x < INFINITY) {
    double power = ::pow(x, -s), factor = s;
    sum += power * x / (s - 1) + power / 2;
    constexpr double bernoulli[] = {1.0 / 12, -1.0 / 720, 1.0 / 30240, -1.0 / 1209600, 1.0 / 47900160};
    power /= x;
    for (int j = 0; j < 5; ++j) {
      sum += bernoulli[j] * factor * power;
      factor *= (s + 2 * j + 1) * (s + 2 * j + 2);
      power /= x * x;
    }
  }
  double factorial = n % 2 ? 1 : -1;
  for (int64_t i = 2; i <= n; ++i) factorial *= static_cast<double>(i);
  return factorial * sum;
}

}  // namespace
}  // namespace pollux
