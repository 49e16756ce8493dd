// Complex Fourier transforms of any length, in double, of `batch` sequences side by side: element i of sequence b lies
// at i * batch + b, so that the loops over sequences and over neighbouring elements are one, and the compiler makes
// vectors of them. Lengths with small factors go through Stockham's algorithm (natural order in and out, no bit
// reversal), others through Bluestein's convolution (1970) with a power of two.
#pragma once
#include <math.h>

#include "../kernel.h"

namespace pollux {
namespace {

constexpr int max_factors = 48;
constexpr int64_t largest_radix = 31;  // beyond, Bluestein's way is shorter

struct Complexes {
  double* re;
  double* im;
};
inline Complexes swapped(Complexes x) {
  return {x.im, x.re};
}

/// A transform with exponent -2 pi i j k / length; for +, swap real and imaginary parts before and after.
struct FftCore {
  int64_t length;       ///< of the sequences
  int64_t convolution;  ///< length of Bluestein's transforms; 0: not needed
  int64_t inner;        ///< the length that is factorised: one of the two above
  int count;
  int32_t factors[max_factors];
  Complexes twiddles;  ///< exp(-2 pi i k / inner)
  Complexes chirp;     ///< exp(-pi i k^2 / length)
  Complexes spectrum;  ///< transform of the conjugate chirp
};

/// Numbers of one sequence that the work buffers must hold.
inline int64_t work_length(const FftCore& core) {
  return max64(core.length, core.inner);
}

inline void factorise(FftCore* core) {
  core->count = 0;
  int64_t rest = core->inner;
  for (int64_t radix = 4; rest > 1;) {
    if (rest % radix == 0) {
      core->factors[core->count++] = static_cast<int32_t>(radix);
      rest /= radix;
    } else {
      radix = radix == 4 ? 2 : radix == 2 ? 3 : radix + 2;
    }
  }
}

inline int64_t largest_prime_factor(int64_t n) {
  int64_t largest = 1;
  for (int64_t p = 2; p * p <= n; ++p)
    for (; n % p == 0; n /= p) largest = p;
  return max64(largest, n);
}

/// Chooses the way; returns how many doubles the tables take.
inline int64_t plan_core(FftCore* core, int64_t length) {
  *core = {};
  core->length = core->inner = length;
  if (largest_prime_factor(length) > largest_radix) {
    core->convolution = 1;
    while (core->convolution < 2 * length - 1) core->convolution *= 2;
    core->inner = core->convolution;
  }
  factorise(core);
  return 2 * core->inner + (core->convolution ? 2 * length + 2 * core->convolution : 0);
}

template <int batch>
void stage4(const FftCore& core, const Complexes& x, const Complexes& y, int64_t m, int64_t s) {
  const int64_t width = s * batch;
  for (int64_t p = 0; p < m; ++p) {
    double wr[4], wi[4];
    for (int64_t j = 1; j < 4; ++j) {
      wr[j] = core.twiddles.re[p * j * s];
      wi[j] = core.twiddles.im[p * j * s];
    }
    const double* __restrict ar = x.re + p * width;
    const double* __restrict ai = x.im + p * width;
    double* __restrict br = y.re + 4 * p * width;
    double* __restrict bi = y.im + 4 * p * width;
    const int64_t step = m * width;
    for (int64_t i = 0; i < width; ++i) {
      const double r0 = ar[i], r1 = ar[i + step], r2 = ar[i + 2 * step], r3 = ar[i + 3 * step];
      const double i0 = ai[i], i1 = ai[i + step], i2 = ai[i + 2 * step], i3 = ai[i + 3 * step];
      const double sr = r0 + r2, si = i0 + i2, dr = r0 - r2, di = i0 - i2;
      const double tr = r1 + r3, ti = i1 + i3, er = r1 - r3, ei = i1 - i3;
      br[i] = sr + tr;
      bi[i] = si + ti;
      const double ur = dr + ei, ui = di - er, vr = sr - tr, vi = si - ti, zr = dr - ei, zi = di + er;
      br[i + width] = ur * wr[1] - ui * wi[1];
      bi[i + width] = ur * wi[1] + ui * wr[1];
      br[i + 2 * width] = vr * wr[2] - vi * wi[2];
      bi[i + 2 * width] = vr * wi[2] + vi * wr[2];
      br[i + 3 * width] = zr * wr[3] - zi * wi[3];
      bi[i + 3 * width] = zr * wi[3] + zi * wr[3];
    }
  }
}

template <int batch>
void stage_any(const FftCore& core, const Complexes& x, const Complexes& y, int64_t radix, int64_t m, int64_t s) {
  const int64_t width = s * batch, root = core.inner / radix;
  for (int64_t p = 0; p < m; ++p)
    for (int64_t j = 0; j < radix; ++j) {
      double* __restrict br = y.re + (radix * p + j) * width;
      double* __restrict bi = y.im + (radix * p + j) * width;
      for (int64_t k = 0; k < radix; ++k) {
        // The root of the small transform and the twiddle behind it, in one factor.
        const int64_t at = (j * k % radix * root + p * j * s) % core.inner;
        const double wr = core.twiddles.re[at], wi = core.twiddles.im[at];
        const double* __restrict ar = x.re + (p + k * m) * width;
        const double* __restrict ai = x.im + (p + k * m) * width;
        if (k == 0)
          for (int64_t i = 0; i < width; ++i) {
            br[i] = ar[i] * wr - ai[i] * wi;
            bi[i] = ar[i] * wi + ai[i] * wr;
          }
        else
          for (int64_t i = 0; i < width; ++i) {
            br[i] += ar[i] * wr - ai[i] * wi;
            bi[i] += ar[i] * wi + ai[i] * wr;
          }
      }
    }
}

/// The factorised transform; the result lies in one of the two buffers.
template <int batch>
Complexes run_stages(const FftCore& core, Complexes x, Complexes y) {
  int64_t n = core.inner, s = 1;
  for (int f = 0; f < core.count; ++f) {
    const int64_t radix = core.factors[f], m = n / radix;
    if (radix == 4)
      stage4<batch>(core, x, y, m, s);
    else
      stage_any<batch>(core, x, y, radix, m, s);
    const Complexes t = x;
    x = y;
    y = t;
    n = m;
    s *= radix;
  }
  return x;
}

/// to[i] = a[i] * w[i / batch] * scale for i < count; nothing more of a is needed.
template <int batch>
void multiply(Complexes a, Complexes w, int64_t count, double scale) {
  for (int64_t k = 0; k < count; ++k) {
    const double wr = w.re[k] * scale, wi = w.im[k] * scale;
    for (int64_t i = k * batch; i < (k + 1) * batch; ++i) {
      const double re = a.re[i] * wr - a.im[i] * wi;
      a.im[i] = a.re[i] * wi + a.im[i] * wr;
      a.re[i] = re;
    }
  }
}

/// Transforms x; both buffers hold work_length() numbers a sequence. The result lies in one of them.
template <int batch>
Complexes transform(const FftCore& core, Complexes x, Complexes y) {
  if (!core.convolution) return run_stages<batch>(core, x, y);
  multiply<batch>(x, core.chirp, core.length, 1);
  const int64_t used = core.length * batch, rest = (core.convolution - core.length) * batch;
  memset(x.re + used, 0, static_cast<size_t>(rest) * sizeof(double));
  memset(x.im + used, 0, static_cast<size_t>(rest) * sizeof(double));
  const Complexes found = run_stages<batch>(core, x, y);
  multiply<batch>(found, core.spectrum, core.convolution, 1.0 / static_cast<double>(core.convolution));
  const Complexes other = found.re == x.re ? y : x;
  const Complexes result = swapped(run_stages<batch>(core, swapped(found), swapped(other)));
  multiply<batch>(result, core.chirp, core.length, 1);
  return result;
}

/// Fills the tables, which begin at `at`. False: out of memory.
inline bool fill_core(FftCore* core, double* at) {
  const auto take = [&](int64_t count) {
    const Complexes table = {at, at + count};
    at += 2 * count;
    return table;
  };
  core->twiddles = take(core->inner);
  for (int64_t k = 0; k < core->inner; ++k) {
    const double angle = -2 * M_PI * static_cast<double>(k) / static_cast<double>(core->inner);
    core->twiddles.re[k] = ::cos(angle);
    core->twiddles.im[k] = ::sin(angle);
  }
  if (!core->convolution) return true;
  const int64_t n = core->length, m = core->convolution;
  core->chirp = take(n);
  core->spectrum = take(m);
  double* work = static_cast<double*>(calloc(static_cast<size_t>(4 * m), sizeof(double)));
  if (!work) return false;
  const Complexes x = {work, work + m}, y = {work + 2 * m, work + 3 * m};
  for (int64_t k = 0; k < n; ++k) {
    const double angle = -M_PI * static_cast<double>(k * k % (2 * n)) / static_cast<double>(n);
    core->chirp.re[k] = x.re[k] = ::cos(angle);
    core->chirp.im[k] = ::sin(angle);
    x.im[k] = -core->chirp.im[k];
    if (k) {
      x.re[m - k] = x.re[k];
      x.im[m - k] = x.im[k];
    }
  }
  const Complexes result = run_stages<1>(*core, x, y);
  memcpy(core->spectrum.re, result.re, static_cast<size_t>(m) * sizeof(double));
  memcpy(core->spectrum.im, result.im, static_cast<size_t>(m) * sizeof(double));
  free(work);
  return true;
}

}  // namespace
}  // namespace pollux
