// Layer norm (Ba et al. 2016) and rms norm (Zhang and Sennrich 2019) over the last axis, and their gradients. A row is
// read from memory once; the further passes over it find it in the cache.
#include "norm_row.h"

namespace pollux::POLLUX_LEVEL {
namespace {

struct NormParameters {
  int64_t columns;
  Chunks chunks;  // of rows
  double epsilon;
};

/// The centre of a row (what its float lost apart, for means far from zero) and 1 / sqrt(variance + epsilon); for
/// rms norm the centre is zero.
struct Moments {
  float centre, rest, rstd;
};

template <bool centred>
Moments moments_of(const float* x, int64_t columns, double epsilon) {
  const double count = static_cast<double>(columns);
  if (!centred) {
    double squares[1];
    row_sums(columns, squares, [=](int64_t i, int n, Floats* term) {
      const Floats v = load_some(x + i, n);
      term[0] = v * v;
    });
    return {0, 0, static_cast<float>(1 / ::sqrt(squares[0] / count + epsilon))};
  }
  double sum[1], deviations[2];
  row_sums(columns, sum, [=](int64_t i, int n, Floats* term) { term[0] = load_some(x + i, n); });
  const float centre = static_cast<float>(sum[0] / count);
  row_sums(columns, deviations, [=](int64_t i, int n, Floats* term) {
    const Floats d = load_some(x + i, n) - broadcast(centre);
    term[0] = d;
    term[1] = d * d;
  });
  const double rest = deviations[0] / count;
  const double variance = (deviations[1] - deviations[0] * rest) / count;
  return {centre, static_cast<float>(rest),
          static_cast<float>(1 / ::sqrt((variance > 0 ? variance : 0 * variance) + epsilon))};
}

template <bool centred>
void run_forward(const Prepared& prepared, const RunContext& context) {
  const auto& [columns, chunks, epsilon] = parameters<NormParameters>(prepared);
  const int weights = prepared.step->input_count - 1;
  const float* x = input_data<float>(prepared, context, 0);
  const float* scale = weights > 0 ? input_data<float>(prepared, context, 1) : nullptr;
  const float* shift = weights > 1 ? input_data<float>(prepared, context, 2) : nullptr;
  float* y = output_data<float>(prepared, context, 0);
  float* mean = centred ? output_data<float>(prepared, context, 1) : nullptr;
  float* rstd = output_data<float>(prepared, context, centred ? 2 : 1);
  parallel(context, chunks.count, [&, columns = columns, chunks = chunks, epsilon = epsilon](int64_t chunk) {
    for (int64_t r = chunks.begin(chunk); r < chunks.end(chunk); ++r) {
      const float* from = x + r * columns;
      float* to = y + r * columns;
      const Moments m = moments_of<centred>(from, columns, epsilon);
      if (centred) mean[r] = m.centre + m.rest;
      rstd[r] = m.rstd;
      const Floats centre = broadcast(m.centre), rest = broadcast(m.rest), factor = broadcast(m.rstd);
      for_each_vector(columns, [=](int64_t j, int n) {
        Floats v = load_some(from + j, n);
        if (centred) v = (v - centre) - rest;
        v = v * factor;
        if (scale) v = v * load_some(scale + j, n);
        if (shift) v = v + load_some(shift + j, n);
        store_some(to + j, v, n);
      });
    }
  });
}

/// With g = dy * scale and xhat = (x - mean) * rstd: dx = rstd * (g - mean(g) - xhat * mean(g * xhat)), without mean(g)
/// for rms norm; dscale = sum(dy * xhat) and dshift = sum(dy) over the rows.
template <bool centred, bool affine>
void run_gradient(const Prepared& prepared, const RunContext& context) {
  const auto& [columns, chunks, epsilon] = parameters<NormParameters>(prepared);
  constexpr int sums_each = centred ? 2 : 1;  // of a chunk: dscale, and dshift
  const float* dy = input_data<float>(prepared, context, 0);
  const float* x = input_data<float>(prepared, context, 1);
  const float* mean = centred ? input_data<float>(prepared, context, 2) : nullptr;
  const float* rstd = input_data<float>(prepared, context, centred ? 3 : 2);
  const float* scale = affine ? input_data<float>(prepared, context, centred ? 4 : 3) : nullptr;
  float* dx = output_data<float>(prepared, context, 0);
  const int64_t all_sums = chunks.count * sums_each;
  parallel(context, chunks.count, [&, columns = columns, chunks = chunks](int64_t chunk) {
    const ColumnSums scales = affine ? column_sums(context, columns, chunk * sums_each, all_sums) : ColumnSums{};
    const ColumnSums shifts =
        affine && centred ? column_sums(context, columns, chunk * sums_each + 1, all_sums) : ColumnSums{};
    if (affine) scales.clear();
    if (affine && centred) shifts.clear();
    for (int64_t r = chunks.begin(chunk); r < chunks.end(chunk); ++r) {
      const float* slopes = dy + r * columns;
      const float* from = x + r * columns;
      const Floats centre = broadcast(centred ? mean[r] : 0.0f), factor = broadcast(rstd[r]);
      double sums[2];
      row_sums(columns, sums, [=](int64_t j, int n, Floats* term) {
        const Floats slope = load_some(slopes + j, n), v = load_some(from + j, n);
        const Floats normal = (centred ? v - centre : v) * factor;
        if (affine) {
          store_some(scales.part + j, load_some(scales.part + j, n) + slope * normal, n);
          if (centred) store_some(shifts.part + j, load_some(shifts.part + j, n) + slope, n);
        }
        const Floats g = affine ? slope * load_some(scale + j, n) : slope;
        term[0] = g;
        term[1] = g * normal;
      });
      const double share = 1 / static_cast<double>(columns);
      const Floats level = broadcast(static_cast<float>(sums[0] * share)),
                   inner = broadcast(static_cast<float>(sums[1] * share));
      float* to = dx + r * columns;
      for_each_vector(columns, [=](int64_t j, int n) {
        const Floats slope = load_some(slopes + j, n), v = load_some(from + j, n);
        const Floats normal = (centred ? v - centre : v) * factor;
        Floats g = affine ? slope * load_some(scale + j, n) : slope;
        if (centred) g = g - level;
        store_some(to + j, (g - normal * inner) * factor, n);
      });
      const bool last = r + 1 == chunks.end(chunk) || (r + 1 - chunks.begin(chunk)) % rows_in_float == 0;
      if (affine && last) {
        scales.empty();
        if (centred) shifts.empty();
      }
    }
  });
  if (!affine) return;
  fold_columns(context, columns, 0, sums_each, all_sums, output_data<float>(prepared, context, 1));
  if (centred) fold_columns(context, columns, 1, sums_each, all_sums, output_data<float>(prepared, context, 2));
}

/// x_index is the operand that is normalised.
NormParameters* make_norm(const PolluxStep& step, Prepared* prepared, int x_index) {
  auto* parameter = make_parameters<NormParameters>(prepared);
  if (!parameter) return nullptr;
  const PolluxOperand& x = input(step, x_index);
  parameter->columns = x.shape[x.rank - 1];
  parameter->chunks = plan_chunks(extent(x, 0, x.rank - 1), ceil_div(1 << 14, max64(1, parameter->columns)));
  parameter->epsilon = number(step, "epsilon");
  return parameter;
}

template <bool centred>
PolluxResult prepare_forward(const PolluxStep& step, Prepared* prepared) {
  if (!make_norm(step, prepared, 0)) return POLLUX_OUT_OF_MEMORY;
  prepared->run = run_forward<centred>;
  return POLLUX_SUCCESS;
}

template <bool centred>
PolluxResult prepare_gradient(const PolluxStep& step, Prepared* prepared) {
  const NormParameters* parameter = make_norm(step, prepared, 1);
  if (!parameter) return POLLUX_OUT_OF_MEMORY;
  const bool affine = step.input_count == (centred ? 5 : 4);
  prepared->run = affine ? run_gradient<centred, true> : run_gradient<centred, false>;
  if (affine)
    prepared->scratch_bytes =
        static_cast<uint64_t>(parameter->chunks.count * (centred ? 2 : 1) * column_sums_bytes(parameter->columns));
  return POLLUX_SUCCESS;
}

constexpr uint32_t float32 = dtype_bit(POLLUX_FLOAT32);
const Kernel kernels[] = {{{"layerNorm", float32, 0, nullptr}, prepare_forward<true>},
                          {{"layerNormGrad", float32, 0, nullptr}, prepare_gradient<true>},
                          {{"rmsNorm", float32, 0, nullptr}, prepare_forward<false>},
                          {{"rmsNormGrad", float32, 0, nullptr}, prepare_gradient<false>}};

}  // namespace

extern const KernelTable layernorm_kernels = {kernels, 4};

}  // namespace pollux::POLLUX_LEVEL
