// Products of a few rows of A with many rows of B, both contiguous along k: dot products, so nothing is packed. This is
// how a layer with weights [out, in] predicts for a small batch.
#pragma once
#include "gemm_vector.h"

namespace pollux {
namespace {

constexpr int kDotRows = 4;

template <int Rows, int Columns>
void dot_tile(const float* a, int64_t lda, const float* b, int64_t ldb, int64_t k, float (&sums)[kDotRows][kDotRows]) {
  Vec sum[Rows][Columns];
  POLLUX_UNROLL
  for (int i = 0; i < Rows; ++i) {
    POLLUX_UNROLL
    for (int j = 0; j < Columns; ++j) sum[i][j] = vec_zero();
  }
  const auto step = [&](auto load) {
    Vec right[Columns];
    POLLUX_UNROLL
    for (int j = 0; j < Columns; ++j) right[j] = load(b + j * ldb);
    POLLUX_UNROLL
    for (int i = 0; i < Rows; ++i) {
      const Vec left = load(a + i * lda);
      POLLUX_UNROLL
      for (int j = 0; j < Columns; ++j) sum[i][j] = vec_fma(left, right[j], sum[i][j]);
    }
  };
  int64_t done = 0;
  for (; done + kLanes <= k; done += kLanes) step([&](const float* row) { return vec_load(row + done); });
  if (done < k) {
    const Tail tail = vec_tail(k - done);
    step([&](const float* row) { return vec_load(row + done, tail); });
  }
  POLLUX_UNROLL
  for (int i = 0; i < Rows; ++i) {
    POLLUX_UNROLL
    for (int j = 0; j < Columns; ++j) sums[i][j] = vec_sum(sum[i][j]);
  }
}

using DotFunction = void (*)(const float*, int64_t, const float*, int64_t, int64_t, float (&)[kDotRows][kDotRows]);

template <int Rows>
constexpr DotFunction kDots[kDotRows] = {dot_tile<Rows, 1>, dot_tile<Rows, 2>, dot_tile<Rows, 3>, dot_tile<Rows, 4>};

constexpr const DotFunction* kDotTable[kDotRows] = {kDots<1>, kDots<2>, kDots<3>, kDots<4>};

// write(i, j, a_i . b_j) for i < m and j in [begin, end).
template <typename Write>
inline void run_dots(const float* a, int64_t lda, int64_t m, const float* b, int64_t ldb, int64_t begin, int64_t end,
                     int64_t k, const Write& write) {
  for (int64_t j = begin; j < end; j += kDotRows) {
    const int64_t columns = min64(kDotRows, end - j);
    for (int64_t i = 0; i < m; i += kDotRows) {
      const int64_t rows = min64(kDotRows, m - i);
      float sums[kDotRows][kDotRows];
      kDotTable[rows - 1][columns - 1](a + i * lda, lda, b + j * ldb, ldb, k, sums);
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t c = 0; c < columns; ++c) write(i + r, j + c, sums[r][c]);
      }
    }
  }
}

}  // namespace
}  // namespace pollux
