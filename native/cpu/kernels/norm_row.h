// Sums over a row, and over the rows of a matrix for its weights' gradients: what layer norm and rms norm share.
#pragma once
#include "../kernel.h"
#include "../simd.h"

namespace pollux {
namespace {

/// The first `count` lanes of a, zero in the rest.
inline Floats only_first(Floats a, int count) {
  return count == lanes ? a : select(first_lanes(count), a, zero());
}

/// Adds up `sums` terms over a row: terms(i, n, out) gives the vectors of elements from i on (lanes beyond n may hold
/// anything). Blocks of 64 vectors are summed in float by two accumulators each, and the blocks in double: the error
/// stays at a few roundings however long the row is.
template <int sums, typename Terms>
inline void row_sums(int64_t count, double (&total)[sums], const Terms& terms) {
  for (double& t : total) t = 0;
  for (int64_t begin = 0; begin < count; begin += 64 * lanes) {
    const int64_t end = min64(count, begin + 64 * lanes);
    Floats even[sums], odd[sums], term[sums];
    for (int s = 0; s < sums; ++s) even[s] = odd[s] = zero();
    int64_t i = begin;
    for (; i + 2 * lanes <= end; i += 2 * lanes) {
      terms(i, lanes, term);
      for (int s = 0; s < sums; ++s) even[s] = even[s] + term[s];
      terms(i + lanes, lanes, term);
      for (int s = 0; s < sums; ++s) odd[s] = odd[s] + term[s];
    }
    for (; i < end; i += lanes) {
      const int n = static_cast<int>(min64(lanes, end - i));
      terms(i, n, term);
      for (int s = 0; s < sums; ++s) even[s] = even[s] + only_first(term[s], n);
    }
    for (int s = 0; s < sums; ++s) total[s] += reduce_add(even[s] + odd[s]);
  }
}

constexpr int64_t rows_in_float = 32;  // rows whose terms are summed in float; the parts are summed in double

/// Sums over the rows of a chunk, for each column: a part in float, which now and then is emptied into doubles.
struct ColumnSums {
  int64_t columns;
  double* total;
  float* part;

  void clear() const {
    for (int64_t j = 0; j < columns; ++j) total[j] = part[j] = 0;
  }
  void empty() const {
    for (int64_t j = 0; j < columns; ++j) {
      total[j] += part[j];
      part[j] = 0;
    }
  }
};

/// Bytes of the sums of one chunk.
inline int64_t column_sums_bytes(int64_t columns) {
  return columns * static_cast<int64_t>(sizeof(double) + sizeof(float));
}

/// The sums number `index` in the scratch memory: all totals first, then all parts.
inline ColumnSums column_sums(const RunContext& context, int64_t columns, int64_t index, int64_t count) {
  double* totals = static_cast<double*>(context.scratch);
  float* parts = reinterpret_cast<float*>(totals + count * columns);
  return {columns, totals + index * columns, parts + index * columns};
}

/// to[j] = the sum over chunks, in their order, of total[j]; chunk c has the sums number c * step + first.
inline void fold_columns(const RunContext& context, int64_t columns, int64_t first, int64_t step, int64_t count,
                         float* to) {
  const double* totals = static_cast<const double*>(context.scratch);
  const Chunks chunks = plan_chunks(columns, 256);
  parallel(context, chunks.count, [&](int64_t chunk) {
    for (int64_t j = chunks.begin(chunk); j < chunks.end(chunk); ++j) {
      double sum = 0;
      for (int64_t i = first; i < count; i += step) sum += totals[i * columns + j];
      to[j] = static_cast<float>(sum);
    }
  });
}

}  // namespace
}  // namespace pollux
