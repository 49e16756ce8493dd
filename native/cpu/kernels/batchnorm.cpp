// Batch normalisation (Ioffe and Szegedy 2015) over the last axis with the statistics of the batch, and its gradient.
#include "batchnorm_moments.h"

namespace pollux {
namespace {

struct BatchNormParameters {
  WideView view;
  double epsilon;
};

// ---- forward -----------------------------------------------------------------------------------------------------

void run_forward(const Prepared& prepared, const RunContext& context) {
  const auto& [view, epsilon] = parameters<BatchNormParameters>(prepared);
  const float* x = input_data<float>(prepared, context, 0);
  const float* scale = input_data<float>(prepared, context, 1);
  const float* shift = input_data<float>(prepared, context, 2);
  float* y = output_data<float>(prepared, context, 0);
  float* mean_out = output_data<float>(prepared, context, 1);
  float* variance_out = output_data<float>(prepared, context, 2);
  double* partial = static_cast<double*>(context.scratch);
  double* mean = partial + view.chunks.count * 2 * view.columns;
  double* squares = mean + view.channels;
  float* wide_mean = reinterpret_cast<float*>(squares + view.channels);
  float* wide_factor = wide_mean + view.columns;
  float* wide_shift = wide_factor + view.columns;

  parallel(context, view.chunks.count, [&, &view = view](int64_t chunk) {
    double* means = partial + chunk * 2 * view.columns;
    chunk_moments(view, x, view.chunks.begin(chunk), view.chunks.end(chunk), means, means + view.columns);
  });
  fold_moments(view, x, partial, mean, squares);
  for (int64_t c = 0; c < view.channels; ++c) {
    const double variance = view.rows ? squares[c] / static_cast<double>(view.rows) : 0;
    const double factor = scale[c] / ::sqrt(variance + epsilon);
    mean_out[c] = wide_mean[c] = static_cast<float>(mean[c]);
    variance_out[c] = static_cast<float>(variance);
    wide_factor[c] = static_cast<float>(factor);
    // What the rounding of the mean lost goes into the shift: it matters where the mean is far from zero.
    wide_shift[c] = static_cast<float>(shift[c] - (mean[c] - wide_mean[c]) * factor);
  }
  widen(view, wide_mean);
  widen(view, wide_factor);
  widen(view, wide_shift);

  const Chunks chunks = all_rows(view);
  parallel(context, chunks.count, [&, &view = view](int64_t i) {
    // From the end: what the first pass read last is still in the cache.
    for_each_wide_row(view, chunks, chunks.count - 1 - i, [&](int64_t first, int64_t columns) {
      for_each_vector(columns, [=](int64_t j, int n) {
        const Floats centred = load_some(x + first + j, n) - load_some(wide_mean + j, n);
        store_some(y + first + j, centred * load_some(wide_factor + j, n) + load_some(wide_shift + j, n), n);
      });
    });
  });
}

// ---- gradient ----------------------------------------------------------------------------------------------------

/// dscale = sum(dy * xhat), dshift = sum(dy), dx = scale / std * (dy - dshift / N - xhat * dscale / N), where
/// xhat = (x - mean) / std and std = sqrt(variance + epsilon).
void run_gradient(const Prepared& prepared, const RunContext& context) {
  const auto& [view, epsilon] = parameters<BatchNormParameters>(prepared);
  const float* dy = input_data<float>(prepared, context, 0);
  const float* x = input_data<float>(prepared, context, 1);
  const float* scale = input_data<float>(prepared, context, 2);
  const float* mean = input_data<float>(prepared, context, 3);
  const float* variance = input_data<float>(prepared, context, 4);
  float* dx = output_data<float>(prepared, context, 0);
  float* dscale = output_data<float>(prepared, context, 1);
  float* dshift = output_data<float>(prepared, context, 2);
  const int64_t channels = view.channels, columns = view.columns;
  double* partial = static_cast<double*>(context.scratch);
  double* sums = partial + view.chunks.count * 2 * columns;
  double* products = sums + channels;
  float* wide_mean = reinterpret_cast<float*>(products + channels);
  float* wide_factor = wide_mean + columns;
  float* wide_constant = wide_factor + columns;
  float* wide_slope = wide_constant + columns;

  for (int64_t c = 0; c < channels; ++c) wide_mean[c] = mean[c];
  widen(view, wide_mean);
  parallel(context, view.chunks.count, [&, &view = view](int64_t chunk) {
    double* chunk_sums = partial + chunk * 2 * columns;
    chunk_products(view, dy, x, wide_mean, view.chunks.begin(chunk), view.chunks.end(chunk), chunk_sums,
                   chunk_sums + columns);
  });

  fold_products(view, dy, x, mean, partial, sums, products);
  const double rows = static_cast<double>(max64(1, view.rows));
  for (int64_t c = 0; c < channels; ++c) {
    const double inverse = 1 / ::sqrt(variance[c] + epsilon);
    dscale[c] = static_cast<float>(products[c] * inverse);
    dshift[c] = static_cast<float>(sums[c]);
    wide_factor[c] = static_cast<float>(scale[c] * inverse);
    wide_constant[c] = static_cast<float>(sums[c] / rows);
    wide_slope[c] = static_cast<float>(products[c] * inverse * inverse / rows);
  }
  widen(view, wide_factor);
  widen(view, wide_constant);
  widen(view, wide_slope);

  const Chunks chunks = all_rows(view);
  parallel(context, chunks.count, [&, &view = view](int64_t i) {
    for_each_wide_row(view, chunks, chunks.count - 1 - i, [&](int64_t first, int64_t count) {
      for_each_vector(count, [=](int64_t j, int n) {
        const Floats centred = load_some(x + first + j, n) - load_some(wide_mean + j, n);
        const Floats g =
            load_some(dy + first + j, n) - load_some(wide_constant + j, n) - centred * load_some(wide_slope + j, n);
        store_some(dx + first + j, g * load_some(wide_factor + j, n), n);
      });
    });
  });
}

template <int x_index, void (*run)(const Prepared&, const RunContext&)>
PolluxResult prepare_norm(const PolluxStep& step, Prepared* prepared) {
  auto* parameter = make_parameters<BatchNormParameters>(prepared);
  if (!parameter) return POLLUX_OUT_OF_MEMORY;
  const PolluxOperand& x = input(step, x_index);
  parameter->view = wide_view(extent(x, 0, x.rank - 1), x.shape[x.rank - 1]);
  parameter->epsilon = number(step, "epsilon", 1e-5);
  const WideView& view = parameter->view;
  // Moments of the chunks and of the channels, then up to four wide rows of factors.
  prepared->scratch_bytes =
      static_cast<uint64_t>(view.chunks.count * 2 * view.columns + 2 * view.channels) * sizeof(double) +
      static_cast<uint64_t>(4 * view.columns) * sizeof(float);
  prepared->run = run;
  return POLLUX_SUCCESS;
}

constexpr uint32_t float32 = dtype_bit(POLLUX_FLOAT32);
const Kernel kernels[] = {{{"batchNorm", float32, 0, nullptr}, prepare_norm<0, run_forward>},
                          {{"batchNormGrad", float32, 0, nullptr}, prepare_norm<1, run_gradient>}};

}  // namespace

namespace POLLUX_LEVEL {
extern const KernelTable batchnorm_kernels;
const KernelTable batchnorm_kernels = {kernels, sizeof kernels / sizeof kernels[0]};
}  // namespace POLLUX_LEVEL
}  // namespace pollux
