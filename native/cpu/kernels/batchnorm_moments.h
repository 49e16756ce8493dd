// Moments of the channels of a matrix [rows, channels], and the sums that their gradients need: for batch and group
// norm.
//
// Statistics are taken in one pass over memory: each block of a few thousand elements is read twice from the L1 cache,
// for its mean and for the squared deviations from it, and blocks are merged in double by the formulas of Chan, Golub
// and LeVeque (1983). So neither the number of rows nor a mean far from zero costs precision. Merging follows the order
// of the rows, whatever the threads.
#pragma once
#include "batchnorm_view.h"

namespace pollux {
namespace {

/// Count, mean and sum of squared deviations of a set, grown by another set.
inline void merge(double count, double& mean, double& squares, double other_count, double other_mean,
                  double other_squares) {
  const double delta = other_mean - mean, share = other_count / (count + other_count);
  mean += delta * share;
  squares += other_squares + delta * delta * share * count;
}

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
inline void chunk_moments(const WideView& view, const float* x, int64_t begin, int64_t end, double* means,
                          double* squares) {
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
inline void fold_moments(const WideView& view, const float* x, const double* partial, double* mean, double* squares) {
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
inline void chunk_products(const WideView& view, const float* dy, const float* x, const float* mean, int64_t begin,
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

/// The sums of the channels from those of the wide columns of all chunks and from the rows left over.
inline void fold_products(const WideView& view, const float* dy, const float* x, const float* mean,
                          const double* partial, double* sums, double* products) {
  const int64_t channels = view.channels;
  for (int64_t c = 0; c < channels; ++c) sums[c] = products[c] = 0;
  for (int64_t wide_row = 0; wide_row < view.chunks.count * view.group; ++wide_row) {
    const double* from = partial + wide_row / view.group * 2 * view.columns + wide_row % view.group * channels;
    for (int64_t c = 0; c < channels; ++c) {
      sums[c] += from[c];
      products[c] += from[view.columns + c];
    }
  }
  for (int64_t row = view.rows - view.rest; row < view.rows; ++row)
    for (int64_t c = 0; c < channels; ++c) {
      const double g = dy[row * channels + c];
      sums[c] += g;
      products[c] += g * (static_cast<double>(x[row * channels + c]) - mean[c]);
    }
}

}  // namespace
}  // namespace pollux
