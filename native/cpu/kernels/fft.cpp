// fft, rfft and irfft over the last axis, unscaled. A real sequence of even length is transformed as a complex one of
// half the length: even elements as real, odd ones as imaginary parts.
#include "fft_core.h"

namespace pollux::POLLUX_LEVEL {
namespace {

enum class Kind { complex, real, half };

struct FftParameters {
  FftCore core;
  int64_t size;         ///< of the real or complex sequence
  int64_t rows, taken;  ///< sequences, and how many are transformed side by side
  Chunks chunks;        ///< of groups of `taken` rows
  bool inverse, packed;
  Complexes roots;  ///< exp(-2 pi i k / size), k <= size / 2, where packed
};

constexpr int side_by_side = 8;

template <int batch>
struct Rows {
  int64_t first, count;  ///< the sequences of this group; the others are zero
  /// x[i * batch + b] = of(row, i) for i < n.
  template <typename Of>
  void load(double* x, int64_t n, const Of& of) const {
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t i = 0; i < n; ++i) x[i * batch + b] = b < count ? of(first + b, i) : 0;
  }
};

template <int batch>
void run_complex(const FftParameters& p, Rows<batch> rows, const float* from, float* to, Complexes x, Complexes y) {
  const int64_t n = p.size;
  rows.load(x.re, n, [=](int64_t row, int64_t i) { return from[(row * n + i) * 2]; });
  rows.load(x.im, n, [=](int64_t row, int64_t i) { return from[(row * n + i) * 2 + 1]; });
  const Complexes found =
      p.inverse ? swapped(transform<batch>(p.core, swapped(x), swapped(y))) : transform<batch>(p.core, x, y);
  for (int64_t b = 0; b < rows.count; ++b)
    for (int64_t i = 0; i < n; ++i) {
      to[((rows.first + b) * n + i) * 2] = static_cast<float>(found.re[i * batch + b]);
      to[((rows.first + b) * n + i) * 2 + 1] = static_cast<float>(found.im[i * batch + b]);
    }
}

template <int batch>
void run_real(const FftParameters& p, Rows<batch> rows, const float* from, float* to, Complexes x, Complexes y) {
  const int64_t n = p.size, half = n / 2, bins = half + 1;
  if (p.packed) {
    rows.load(x.re, half, [=](int64_t row, int64_t i) { return from[row * n + 2 * i]; });
    rows.load(x.im, half, [=](int64_t row, int64_t i) { return from[row * n + 2 * i + 1]; });
  } else {
    rows.load(x.re, n, [=](int64_t row, int64_t i) { return from[row * n + i]; });
    memset(x.im, 0, static_cast<size_t>(n * batch) * sizeof(double));
  }
  const Complexes z = transform<batch>(p.core, x, y);
  for (int64_t b = 0; b < rows.count; ++b) {
    float* bin = to + (rows.first + b) * bins * 2;
    for (int64_t k = 0; k < bins; ++k) {
      const int64_t i = (p.packed && k == half ? 0 : k) * batch + b;
      double re = z.re[i], im = z.im[i];
      if (p.packed) {  // even part + root * odd part
        const int64_t j = (k == 0 ? 0 : half - k) * batch + b;
        const double er = (z.re[i] + z.re[j]) / 2, ei = (z.im[i] - z.im[j]) / 2;
        const double odd_re = (z.im[i] + z.im[j]) / 2, odd_im = (z.re[j] - z.re[i]) / 2;
        re = er + p.roots.re[k] * odd_re - p.roots.im[k] * odd_im;
        im = ei + p.roots.re[k] * odd_im + p.roots.im[k] * odd_re;
      }
      const bool real = k == 0 || 2 * k == n;
      bin[2 * k] = static_cast<float>(re);
      bin[2 * k + 1] = real ? 0 : static_cast<float>(im);
    }
  }
}

template <int batch>
void run_half(const FftParameters& p, Rows<batch> rows, const float* from, float* to, Complexes x, Complexes y) {
  const int64_t n = p.size, half = n / 2, bins = half + 1;
  const auto re = [=](int64_t row, int64_t k) -> double { return from[(row * bins + k) * 2]; };
  const auto im = [=](int64_t row, int64_t k) -> double {
    return k == 0 || 2 * k == n ? 0 : from[(row * bins + k) * 2 + 1];
  };
  if (p.packed) {
    // Twice the even part + i conj(root) times twice the odd part.
    rows.load(x.re, half, [&](int64_t row, int64_t k) {
      const double dr = re(row, k) - re(row, half - k), di = im(row, k) + im(row, half - k);
      return re(row, k) + re(row, half - k) - (p.roots.re[k] * di - p.roots.im[k] * dr);
    });
    rows.load(x.im, half, [&](int64_t row, int64_t k) {
      const double dr = re(row, k) - re(row, half - k), di = im(row, k) + im(row, half - k);
      return im(row, k) - im(row, half - k) + (p.roots.re[k] * dr + p.roots.im[k] * di);
    });
  } else {
    rows.load(x.re, n, [&](int64_t row, int64_t k) { return re(row, k < bins ? k : n - k); });
    rows.load(x.im, n, [&](int64_t row, int64_t k) { return k < bins ? im(row, k) : -im(row, n - k); });
  }
  const Complexes z = swapped(transform<batch>(p.core, swapped(x), swapped(y)));
  for (int64_t b = 0; b < rows.count; ++b) {
    float* out = to + (rows.first + b) * n;
    for (int64_t i = 0; i < n; ++i) {
      const double* part = p.packed && i % 2 ? z.im : z.re;
      out[i] = static_cast<float>(part[(p.packed ? i / 2 : i) * batch + b]);
    }
  }
}

template <Kind kind, int batch>
void run(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<FftParameters>(prepared);
  const float* from = input_data<float>(prepared, context, 0);
  float* to = output_data<float>(prepared, context, 0);
  const int64_t length = work_length(p.core) * batch;
  parallel(context, p.chunks.count, [&](int64_t chunk) {
    double* work = static_cast<double*>(context.scratch) + chunk * 4 * length;
    const Complexes x = {work, work + length}, y = {work + 2 * length, work + 3 * length};
    for (int64_t group = p.chunks.begin(chunk); group < p.chunks.end(chunk); ++group) {
      const Rows<batch> rows = {group * batch, min64(batch, p.rows - group * batch)};
      if (kind == Kind::complex)
        run_complex<batch>(p, rows, from, to, x, y);
      else if (kind == Kind::real)
        run_real<batch>(p, rows, from, to, x, y);
      else
        run_half<batch>(p, rows, from, to, x, y);
    }
  });
}

template <Kind kind>
PolluxResult prepare(const PolluxStep& step, Prepared* prepared) {
  const PolluxOperand& x = input(step, 0);
  const PolluxOperand& y = output(step, 0);
  const PolluxOperand& sequence = kind == Kind::half ? y : x;
  const int axis = kind == Kind::complex ? x.rank - 2 : sequence.rank - 1;
  FftParameters plan = {};
  plan.size = sequence.shape[axis];
  plan.rows = extent(sequence, 0, axis);
  plan.inverse = boolean(step, "inverse");
  plan.packed = kind != Kind::complex && plan.size % 2 == 0;
  const int64_t length = plan.packed ? plan.size / 2 : plan.size;
  const int64_t tables = plan_core(&plan.core, length), roots = plan.packed ? 2 * (length + 1) : 0;
  auto* p = make_parameters<FftParameters>(prepared, static_cast<size_t>(tables + roots) * sizeof(double));
  if (!p) return POLLUX_OUT_OF_MEMORY;
  *p = plan;
  double* at = reinterpret_cast<double*>(p + 1);
  if (!fill_core(&p->core, at)) return POLLUX_OUT_OF_MEMORY;
  p->roots = {at + tables, at + tables + length + 1};
  for (int64_t k = 0; p->packed && k <= length; ++k) {
    const double angle = -2 * M_PI * static_cast<double>(k) / static_cast<double>(p->size);
    p->roots.re[k] = ::cos(angle);
    p->roots.im[k] = ::sin(angle);
  }
  p->taken = p->rows >= side_by_side / 2 ? side_by_side : 1;
  p->chunks = plan_chunks(ceil_div(p->rows, p->taken), ceil_div(1 << 12, max64(1, length * p->taken)), 16);
  prepared->packed_bytes = static_cast<uint64_t>(tables + roots) * sizeof(double);
  prepared->scratch_bytes =
      static_cast<uint64_t>(p->chunks.count * 4 * work_length(p->core) * p->taken) * sizeof(double);
  prepared->run = p->taken == 1 ? run<kind, 1> : run<kind, side_by_side>;
  return POLLUX_SUCCESS;
}

constexpr uint32_t float32 = dtype_bit(POLLUX_FLOAT32);
const Kernel kernels[] = {{{"fft", float32, 0, nullptr}, prepare<Kind::complex>},
                          {{"rfft", float32, 0, nullptr}, prepare<Kind::real>},
                          {{"irfft", float32, 0, nullptr}, prepare<Kind::half>}};

}  // namespace

extern const KernelTable fft_kernels = {kernels, 3};

}  // namespace pollux::POLLUX_LEVEL
