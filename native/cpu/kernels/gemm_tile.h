// The register tile that does the arithmetic of matmul, convolution and the gradients of both: C += A B, where C is
// up to kTileRows x 2 vectors, B a panel of rows, and A a view of memory that needs no packing.
#pragma once
#include "gemm_vector.h"

namespace pollux {
namespace {

// A as seen by a tile: `segments` runs of `length` steps of k. A matrix is one run; a convolution has one run for each
// row of its window, since in an NHWC image the taps of one window row are contiguous and the next pixel lies a step
// on.
//   rows:     A(i, k) = data[i * step + k]
//   columns:  A(i, k) = data[k * step + i]
struct View {
  const float* data;
  int64_t step;
  int32_t length;
  int32_t segments;
  int64_t segment;
};

enum TileFlags { kAccumulate = 1, kRelu = 2 };

// Three rows share a pointer (offsets 0, step, 2 step are addressing modes), so that 14 rows need 5.
template <int Rows, int Vectors, bool Columns>
void tile(View a, const float* b, int64_t ldb, float* c, int64_t ldc, Tail tail, int flags, const float* bias) {
  constexpr int kPointers = (Rows + 2) / 3;
  Vec sum[Rows][Vectors];
  POLLUX_UNROLL
  for (int i = 0; i < Rows; ++i) {
    POLLUX_UNROLL
    for (int v = 0; v < Vectors; ++v) sum[i][v] = vec_zero();
  }
  POLLUX_UNROLL
  for (int i = 0; i < Rows; ++i) {
    POLLUX_UNROLL
    for (int v = 0; v < Vectors; ++v) __builtin_prefetch(c + i * ldc + v * kLanes, 1);
  }
  for (int s = 0; s < a.segments; ++s, a.data += a.segment) {
    const float* row[kPointers];
    POLLUX_UNROLL
    for (int j = 0; j < kPointers; ++j) row[j] = a.data + (Columns ? 3 * j : 3 * j * a.step);
    _Pragma("GCC unroll 4") for (int k = 0; k < a.length; ++k, b += ldb) {
      Vec right[Vectors];
      POLLUX_UNROLL
      for (int v = 0; v < Vectors; ++v) __builtin_prefetch(b + v * kLanes + 24 * ldb);
      POLLUX_UNROLL
      for (int v = 0; v < Vectors; ++v) {
        right[v] = v + 1 < Vectors ? vec_load(b + v * kLanes) : vec_load(b + v * kLanes, tail);
      }
      POLLUX_UNROLL
      for (int i = 0; i < Rows; ++i) {
        const Vec left = vec_set(Columns ? row[0][i] : row[i / 3][i % 3 * a.step]);
        POLLUX_UNROLL
        for (int v = 0; v < Vectors; ++v) sum[i][v] = vec_fma(left, right[v], sum[i][v]);
      }
      if (Columns) {
        row[0] += a.step;
      } else {
        POLLUX_UNROLL
        for (int j = 0; j < kPointers; ++j) ++row[j];
      }
    }
  }
  POLLUX_UNROLL
  for (int v = 0; v < Vectors; ++v) {
    float* to = c + v * kLanes;
    const bool whole = v + 1 < Vectors;
    if (flags & kAccumulate) {
      POLLUX_UNROLL
      for (int i = 0; i < Rows; ++i) {
        sum[i][v] = vec_add(sum[i][v], whole ? vec_load(to + i * ldc) : vec_load(to + i * ldc, tail));
      }
    }
    if (bias) {
      const Vec shift = whole ? vec_load(bias + v * kLanes) : vec_load(bias + v * kLanes, tail);
      POLLUX_UNROLL
      for (int i = 0; i < Rows; ++i) sum[i][v] = vec_add(sum[i][v], shift);
    }
    if (flags & kRelu) {
      POLLUX_UNROLL
      for (int i = 0; i < Rows; ++i) sum[i][v] = vec_relu(sum[i][v]);
    }
    POLLUX_UNROLL
    for (int i = 0; i < Rows; ++i) {
      if (whole) {
        vec_store(to + i * ldc, sum[i][v]);
      } else {
        vec_store(to + i * ldc, sum[i][v], tail);
      }
    }
  }
}

using TileFunction = void (*)(View, const float*, int64_t, float*, int64_t, Tail, int, const float*);

template <int Vectors, bool Columns>
constexpr TileFunction kTiles[] = {
    tile<1, Vectors, Columns>,  tile<2, Vectors, Columns>,  tile<3, Vectors, Columns>,  tile<4, Vectors, Columns>,
#if defined(__AVX2__)
    tile<5, Vectors, Columns>,  tile<6, Vectors, Columns>,
#endif
#if defined(__AVX512F__)
    tile<7, Vectors, Columns>,  tile<8, Vectors, Columns>,  tile<9, Vectors, Columns>,  tile<10, Vectors, Columns>,
    tile<11, Vectors, Columns>, tile<12, Vectors, Columns>, tile<13, Vectors, Columns>, tile<14, Vectors, Columns>,
#endif
};

// C[rows, columns] (+)= A B for rows <= kTileRows, columns <= kPanel.
inline void run_tile(bool a_columns, int rows, int64_t columns, const View& a, const float* b, int64_t ldb, float* c,
                     int64_t ldc, int flags, const float* bias) {
  if (columns > kLanes) {
    const TileFunction run = a_columns ? kTiles<2, true>[rows - 1] : kTiles<2, false>[rows - 1];
    run(a, b, ldb, c, ldc, vec_tail(columns - kLanes), flags, bias);
  } else {
    const TileFunction run = a_columns ? kTiles<1, true>[rows - 1] : kTiles<1, false>[rows - 1];
    run(a, b, ldb, c, ldc, vec_tail(columns), flags, bias);
  }
}

// How many rows the tiles of `rows` rows should have, so that the last is not much shorter than the others.
inline int balanced_rows(int64_t rows) {
  return rows <= 0 ? 1 : static_cast<int>(ceil_div(rows, ceil_div(rows, kTileRows)));
}

}  // namespace
}  // namespace pollux
