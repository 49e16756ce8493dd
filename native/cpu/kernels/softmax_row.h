// What softmax and cross-entropy do to one row of logits: its maximum, and sums over it.
#pragma once
#include "../kernel.h"
#include "../simd.h"
#include "../simd_math.h"

namespace pollux {
namespace {

/// Rows handed to a thread at once: about 16,384 elements.
inline Chunks row_chunks(int64_t rows, int64_t columns) {
  return plan_chunks(rows, ceil_div(1 << 14, max64(1, columns)), 256);
}

/// The first `count` lanes of a, `other` in the rest.
inline Floats first_of(Floats a, int count, Floats other) {
  return count == lanes ? a : select(first_lanes(count), a, other);
}

/// The largest lane, found by halves.
inline float largest_lane(Floats a) {
  float values[lanes];
  store(values, a);
  for (int half = lanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) values[i] = values[i] > values[i + half] ? values[i] : values[i + half];
  return values[0];
}

/// The largest element, -inf for an empty row. A NaN may be passed over: its exponential shows it anyway.
inline float row_maximum(const float* x, int64_t count) {
  const Floats lowest = broadcast(-INFINITY);
  Floats best[4] = {lowest, lowest, lowest, lowest};
  int64_t i = 0;
  for (; i + 4 * lanes <= count; i += 4 * lanes)
    for (int k = 0; k < 4; ++k) best[k] = greater(best[k], load(x + i + k * lanes));
  Floats most = greater(greater(best[0], best[1]), greater(best[2], best[3]));
  for (; i < count; i += lanes) {
    const int n = static_cast<int>(min64(lanes, count - i));
    most = greater(most, first_of(load_some(x + i, n), n, lowest));
  }
  return largest_lane(most);
}

/// The sum over a row of term(i, n), a vector of the n terms from element i on (lanes beyond n may hold anything).
/// Blocks of 64 vectors are summed in float by four accumulators, and the blocks in double: the error stays at a few
/// roundings however long the row is.
template <typename Term>
inline float row_sum(int64_t count, const Term& term) {
  double total = 0;
  for (int64_t begin = 0; begin < count; begin += 64 * lanes) {
    const int64_t end = min64(count, begin + 64 * lanes);
    Floats sums[4] = {zero(), zero(), zero(), zero()};
    int64_t i = begin;
    for (; i + 4 * lanes <= end; i += 4 * lanes)
      for (int k = 0; k < 4; ++k) sums[k] = sums[k] + term(i + k * lanes, lanes);
    for (; i < end; i += lanes) {
      const int n = static_cast<int>(min64(lanes, end - i));
      sums[0] = sums[0] + first_of(term(i, n), n, zero());
    }
    total += reduce_add((sums[0] + sums[1]) + (sums[2] + sums[3]));
  }
  return static_cast<float>(total);
}

}  // namespace
}  // namespace pollux
