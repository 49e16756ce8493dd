// Batch normalisation (Ioffe and Szegedy 2015) over the last axis with the statistics of the batch, and its gradient.
//
// Statistics are taken in one pass over memory: each block of a few thousand elements is read twice from the L1 cache,
// for its mean and for the squared deviations from it, and blocks are merged in double by the formulas of Chan, Golub
// and LeVeque (1983). So neither the number of rows nor a mean far from zero costs precision. Merging follows the order
// of the rows, whatever the threads.
#include "batchnorm_view.h"

namespace pollux {
namespace {

struct BatchNormParameters {
  WideView view;
  double epsilon;
};

/// Count, mean and sum of squared deviations of a set, grown by another set.
inline void merge(double count, double& mean, double& squares, double other_count, double other_mean,
                  double other_squares) {
  const double delta = other_mean - mean, share = other_count / (count + other_count);
  mean += delta * share;
  squares += other_squares + delta * delta * share * count;
}

// ---- forward -----------------------------------------------------------------------------------------------------

/// Of the columns of a block: mean (rounded), sum of deviations from it, sum of their squares.
template <int vectors>
void block_moments(const float* x, int64_t stride, const Block& block, float* mean, float* residue, float* squares) {
  const auto count = [&](int k) { return k == vectors - 1 ? block.tail : lanes; };
  Floats sum[vectors];
  for (int k = 0; k < vectors; ++k) sum[k] = zero();
  for (int64_t r = 0; r < block.rows; ++r)
    for (int k = 0; k < vectors; ++k) sum[k] = sum[k] + load_some(x + r * stride + k * lanes, count(k));
  Totals<vectors> deviations, square_sums;
  Floats centre[vectors];
  for (int k = 0; k < vectors; ++k) {
    centre[k] = sum[k] * broadcast(1.0f / static_cast<float>(block.rows));
    store(mean + k * lanes, centre[k]);
  }
  for (int64_t first = 0; first < block.rows; first += part_rows) {
    Floats deviation[vectors], square[vectors];
    for (int k = 0; k < vectors; ++k) deviation[k] = square[k] = zero();
    for (int64_t r = first; r < min64(block.rows, first + part_rows); ++r)
      for (int k = 0; k < vectors; ++k) {
        __builtin_prefetch(x + (r + block.rows) * stride + k * lanes);  // memory goes on while the cache is read again
        const Floats d = load_some(x + r * stride + k * lanes, count(k)) - centre[k];
        deviation[k] = deviation[k] + d;
        square[k] = square[k] + d * d;
      }
    deviations.add(deviation);
    square_sums.add(square);
  }
  deviations.store_to(residue);
  square_sums.store_to(squares);
}

/// Mean and sum of squared deviations of every wide column over rows [begin, end).
void chunk_moments(const WideView& view, const float* x, int64_t begin, int64_t end, double* means, double* squares) {
  for_each_block(view, begin, end, [&](auto vectors, const Block& block) {
    float mean[max_vectors * lanes], residue[max_vectors * lanes], square[max_vectors * lanes];
    block_moments<vectors.count>(x + block.row * view.columns + block.column, view.columns, block, mean, residue,
                                 square);
    // The float mean is off by a rounding; the sum of the deviations from it, ideally zero, mends it.
    const double before = static_cast<double>(block.row - begin), count = static_cast<double>(block.rows),
                 share = 1 / count;
    for (int64_t c = 0; c < block.width; ++c) {
      double& so_far = means[block.column + c];
      double& squares_so_far = squares[block.column + c];
      if (block.row == begin) so_far = squares_so_far = 0;
      const double shift = residue[c] * share;
      merge(before, so_far, squares_so_far, count, mean[c] + shift, square[c] - residue[c] * shift);
    }
  });
}

/// The moments of the channels from those of the wide columns of all chunks and from the rows left over.
void fold_moments(const WideView& view, const float* x, const double* partial, double* mean, double* squares) {
  const int64_t channels = view.channels;
  for (int64_t c = 0; c < channels; ++c) mean[c] = squares[c] = 0;
  double count = 0;
  for (int64_t chunk = 0; chunk < view.chunks.count; ++chunk) {
    const double rows = static_cast<double>(view.chunks.end(chunk) - view.chunks.begin(chunk));
    const double* means = partial + chunk * 2 * view.columns;
    for (int64_t g = 0; g < view.group; ++g, count += rows)
      for (int64_t c = 0; c < channels; ++c)
        merge(count, mean[c], squares[c], rows, means[g * channels + c], means[view.columns + g * channels + c]);
  }
  for (int64_t row = view.rows - view.rest; row < view.rows; ++row, ++count)
    for (int64_t c = 0; c < channels; ++c) merge(count, mean[c], squares[c], 1, x[row * channels + c], 0);
}

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

/// Of the columns of a block: sums of dy and of dy * (x - mean).
template <int vectors>
void block_products(const float* dy, const float* x, const float* mean, int64_t stride, const Block& block, float* sums,
                    float* products) {
  const auto count = [&](int k) { return k == vectors - 1 ? block.tail : lanes; };
  Floats centre[vectors];
  for (int k = 0; k < vectors; ++k) centre[k] = load_some(mean + k * lanes, count(k));
  Totals<vectors> gradient_sums, product_sums;
  for (int64_t first = 0; first < block.rows; first += part_rows) {
    Floats sum[vectors], product[vectors];
    for (int k = 0; k < vectors; ++k) sum[k] = product[k] = zero();
    for (int64_t r = first; r < min64(block.rows, first + part_rows); ++r)
      for (int k = 0; k < vectors; ++k) {
        const int64_t at = r * stride + k * lanes;
        const Floats g = load_some(dy + at, count(k));
        sum[k] = sum[k] + g;
        product[k] = product[k] + g * (load_some(x + at, count(k)) - centre[k]);
      }
    gradient_sums.add(sum);
    product_sums.add(product);
  }
  gradient_sums.store_to(sums);
  product_sums.store_to(products);
}

/// Sums of dy and of dy * (x - mean) of every wide column over rows [begin, end): blocks in float, their sums in
/// double.
void chunk_products(const WideView& view, const float* dy, const float* x, const float* mean, int64_t begin,
                    int64_t end, double* sums, double* products) {
  for_each_block(view, begin, end, [&](auto vectors, const Block& block) {
    float sum[max_vectors * lanes], product[max_vectors * lanes];
    const int64_t at = block.row * view.columns + block.column;
    block_products<vectors.count>(dy + at, x + at, mean + block.column, view.columns, block, sum, product);
    for (int64_t c = 0; c < block.width; ++c) {
      if (block.row == begin) sums[block.column + c] = products[block.column + c] = 0;
      sums[block.column + c] += sum[c];
      products[block.column + c] += product[c];
    }
  });
}

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

  for (int64_t c = 0; c < channels; ++c) sums[c] = products[c] = 0;
  for (int64_t wide_row = 0; wide_row < view.chunks.count * view.group; ++wide_row) {
    const double* from = partial + wide_row / view.group * 2 * columns + wide_row % view.group * channels;
    for (int64_t c = 0; c < channels; ++c) {
      sums[c] += from[c];
      products[c] += from[columns + c];
    }
  }
  for (int64_t row = view.rows - view.rest; row < view.rows; ++row)
    for (int64_t c = 0; c < channels; ++c) {
      const double g = dy[row * channels + c];
      sums[c] += g;
      products[c] += g * (static_cast<double>(x[row * channels + c]) - mean[c]);
    }
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
  parameter->view = wide_view(input(step, x_index));
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
