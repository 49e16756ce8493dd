// Copies of operand blocks into the order in which tiles read them: panels of [k][width], zero-filled to their width.
#pragma once
#include "gemm_vector.h"

namespace pollux {
namespace {

constexpr int64_t kMostBlock = 128 * 1024;  // floats of packed panels that are used together: half of a 1 MiB L2

#if defined(__AVX512F__)

// r[i] lane j <-> r[j] lane i
inline void transpose_square(Vec (&rows)[kLanes]) {
  __m512i t[16];
  __m512i r[16];
  POLLUX_UNROLL
  for (int i = 0; i < 16; ++i) r[i] = _mm512_castps_si512(rows[i]);
  POLLUX_UNROLL
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  POLLUX_UNROLL
  for (int i = 0; i < 16; i += 4) {
    POLLUX_UNROLL
    for (int j = 0; j < 2; ++j) {
      r[i + 2 * j] = _mm512_unpacklo_epi64(t[i + j], t[i + j + 2]);
      r[i + 2 * j + 1] = _mm512_unpackhi_epi64(t[i + j], t[i + j + 2]);
    }
  }
  POLLUX_UNROLL
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 8] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
    t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
  }
  POLLUX_UNROLL
  for (int i = 0; i < 4; ++i) {
    rows[i] = _mm512_castsi512_ps(_mm512_shuffle_i32x4(t[i], t[i + 4], 0x88));
    rows[i + 8] = _mm512_castsi512_ps(_mm512_shuffle_i32x4(t[i], t[i + 4], 0xdd));
    rows[i + 4] = _mm512_castsi512_ps(_mm512_shuffle_i32x4(t[i + 8], t[i + 12], 0x88));
    rows[i + 12] = _mm512_castsi512_ps(_mm512_shuffle_i32x4(t[i + 8], t[i + 12], 0xdd));
  }
}

#elif defined(__AVX2__)

inline void transpose_square(Vec (&r)[kLanes]) {
  Vec t[8];
  POLLUX_UNROLL
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  POLLUX_UNROLL
  for (int i = 0; i < 8; i += 4) {
    POLLUX_UNROLL
    for (int j = 0; j < 2; ++j) {
      r[i + 2 * j] = _mm256_shuffle_ps(t[i + j], t[i + j + 2], 0x44);
      r[i + 2 * j + 1] = _mm256_shuffle_ps(t[i + j], t[i + j + 2], 0xee);
    }
  }
  POLLUX_UNROLL
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
    t[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
  }
  POLLUX_UNROLL
  for (int i = 0; i < 8; ++i) r[i] = t[i];
}

#else

inline void transpose_square(Vec (&r)[kLanes]) {
  for (int i = 0; i < kLanes; ++i) {
    for (int j = 0; j < i; ++j) {
      const float x = r[i][j];
      r[i][j] = r[j][i];
      r[j][i] = x;
    }
  }
}

#endif

// `source` has `rows` rows of `k` contiguous numbers: to[k][width], width >= rows a multiple of kLanes.
inline void pack_transposed(const float* source, int64_t stride, int64_t rows, int64_t k, float* to, int64_t width) {
  for (int64_t r = 0; r < width; r += kLanes) {
    const int64_t here = min64(kLanes, rows - r);
    for (int64_t i = 0; i < k; i += kLanes) {
      const int64_t steps = min64(kLanes, k - i);
      const Tail tail = vec_tail(steps);
      Vec block[kLanes];
      POLLUX_UNROLL
      for (int j = 0; j < kLanes; ++j) __builtin_prefetch(source + (r + j) * stride + i + 64);
      POLLUX_UNROLL
      for (int j = 0; j < kLanes; ++j) {
        block[j] = j < here ? vec_load(source + (r + j) * stride + i, tail) : vec_zero();
      }
      transpose_square(block);
      if (steps == kLanes) {
        POLLUX_UNROLL
        for (int j = 0; j < kLanes; ++j) vec_store(to + (i + j) * width + r, block[j]);
      } else {
        POLLUX_UNROLL
        for (int j = 0; j < kLanes; ++j) {
          if (j < steps) vec_store(to + (i + j) * width + r, block[j]);
        }
      }
    }
  }
}

// `source` has `k` rows of `columns` contiguous numbers, cut into panels of kPanel columns `panel_stride` apart. The
// last panel is one vector wide if that is enough. The rows become steps first, first + 1, ... of the panels. Rows are
// read in order, all panels of a row at once.
inline void pack_rows(const float* source, int64_t stride, int64_t columns, int64_t first_step, int64_t k, float* to,
                      int64_t panel_stride) {
  const int64_t whole = columns / kPanel;
  const int64_t rest = columns - whole * kPanel;
  const Tail first = vec_tail(rest);
  const Tail second = vec_tail(rest - kLanes);
  for (int64_t i = first_step; i < first_step + k; ++i, source += stride) {
    const float* from = source;
    float* panel = to + i * kPanel;
    for (int64_t q = 0; q < whole; ++q, from += kPanel, panel += panel_stride) {
      __builtin_prefetch(from + 8 * stride);
      if (kLanes > 8) __builtin_prefetch(from + kLanes + 8 * stride);
      vec_store(panel, vec_load(from));
      vec_store(panel + kLanes, vec_load(from + kLanes));
    }
    if (rest > kLanes) {
      vec_store(panel, vec_load(from));
      vec_store(panel + kLanes, vec_load(from + kLanes, second));
    } else if (rest > 0) {
      vec_store(to + whole * panel_stride + i * kLanes, vec_load(from, first));
    }
  }
}

// `source` has `k` rows of `columns` contiguous numbers, cut into tiles of `width` <= kTileRows: to[tile][k][kLanes].
inline void pack_columns(const float* source, int64_t stride, int64_t columns, int width, int64_t k, float* to) {
  const Tail whole = vec_tail(width);
  for (int64_t i = 0; i < k; ++i, source += stride, to += kLanes) {
    float* tile = to;
    for (int64_t c = 0; c < columns; c += width, tile += k * kLanes) {
      __builtin_prefetch(source + 8 * stride + c);
      vec_store(tile, vec_load(source + c, c + width <= columns ? whole : vec_tail(columns - c)));
    }
  }
}

// `rows` rows of `k` numbers: to[row][to_stride].
inline void copy_rows(const float* source, int64_t stride, int64_t rows, int64_t k, float* to, int64_t to_stride) {
  for (int64_t r = 0; r < rows; ++r)
    memcpy(to + r * to_stride, source + r * stride, static_cast<size_t>(k) * sizeof(float));
}

}  // namespace
}  // namespace pollux
