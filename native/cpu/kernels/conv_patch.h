// The first layer of a small network: windows of 3 x 3 on one channel, pooled 2 x 2. The 4 x 4 numbers under a pooling
// window are read once, and all weights stay in registers.
#pragma once
#include "conv_pool.h"

namespace pollux {
namespace {

// One pooled row for up to Vectors vectors of channels: `x` is the corner of the first window, `weights` [9][width].
template <int Vectors>
inline void pool_patches(const float* x, int64_t pitch, const float* weights, int64_t width, const float* bias,
                         bool relu, int64_t columns, int64_t channels, Tail tail, float* y, uint8_t* index) {
  constexpr int kPlaces = 4, kTaps = 9;
  Vec weight[kTaps][Vectors];
  POLLUX_UNROLL
  for (int t = 0; t < kTaps; ++t) {
    POLLUX_UNROLL
    for (int v = 0; v < Vectors; ++v) weight[t][v] = vec_load(weights + t * width + v * kLanes);
  }
  const Tail all = vec_tail(kLanes);
  Vec shift[Vectors];
  POLLUX_UNROLL
  for (int v = 0; v < Vectors; ++v) shift[v] = vec_load(bias + v * kLanes, v + 1 < Vectors ? all : tail);
  for (int64_t b = 0; b < columns; ++b, x += 2, y += channels, index += channels) {
    Vec sum[kPlaces][Vectors];
    POLLUX_UNROLL
    for (int p = 0; p < kPlaces; ++p) {
      POLLUX_UNROLL
      for (int v = 0; v < Vectors; ++v) sum[p][v] = vec_zero();
    }
    POLLUX_UNROLL
    for (int i = 0; i < 16; ++i) {
      const Vec number = vec_set(x[i / 4 * pitch + i % 4]);
      POLLUX_UNROLL
      for (int p = 0; p < kPlaces; ++p) {
        const int ky = i / 4 - p / 2, kx = i % 4 - p % 2;
        if (ky < 0 || ky > 2 || kx < 0 || kx > 2) continue;
        POLLUX_UNROLL
        for (int v = 0; v < Vectors; ++v) sum[p][v] = vec_fma(number, weight[ky * 3 + kx][v], sum[p][v]);
      }
    }
    POLLUX_UNROLL
    for (int v = 0; v < Vectors; ++v) {
      const Tail lanes = v + 1 < Vectors ? all : tail;
      Vec best = vec_add(sum[0][v], shift[v]);
      Places place = no_places();
      POLLUX_UNROLL
      for (int p = 1; p < kPlaces; ++p) {
        const Vec here = vec_add(sum[p][v], shift[v]);
        const auto beats = vec_beats(here, best);
        best = vec_select(beats, here, best);
        place = select_place(beats, p, place);
      }
      vec_store(y + v * kLanes, relu ? vec_relu(best) : best, lanes);
      store_places(index + v * kLanes, place, lanes);
    }
  }
}

#if defined(__AVX512F__)

constexpr bool kUnpoolsPatches = true;

// partial[9][channels] += the products of the 4 x 4 numbers under each window with the gradient at its maximum: each
// lane picks its own 3 x 3 of them.
template <int Vectors>
inline void unpool_patches(const float* x, int64_t pitch, int64_t rows, int64_t columns, const float* dy,
                           const uint8_t* index, int64_t channels, Tail tail, float* partial, bool accumulate) {
  constexpr int kTaps = 9;
  const Tail all = vec_tail(kLanes);
  Vec sum[kTaps][Vectors];
  POLLUX_UNROLL
  for (int t = 0; t < kTaps; ++t) {
    POLLUX_UNROLL
    for (int v = 0; v < Vectors; ++v) sum[t][v] = vec_zero();
  }
  for (int64_t a = 0; a < rows; ++a) {
    const float* corner = x + 2 * a * pitch;
    for (int64_t b = 0; b < columns; ++b, corner += 2, dy += channels, index += channels) {
      const __m256 upper =
          _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(corner)), _mm_loadu_ps(corner + pitch), 1);
      const __m256 lower = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(corner + 2 * pitch)),
                                                _mm_loadu_ps(corner + 3 * pitch), 1);
      const __m512 patch = _mm512_insertf32x8(_mm512_castps256_ps512(upper), lower, 1);
      POLLUX_UNROLL
      for (int v = 0; v < Vectors; ++v) {
        const Tail lanes = v + 1 < Vectors ? all : tail;
        const Vec gradient = vec_load(dy + v * kLanes, lanes);
        const __m512i place = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(lanes, index + v * kLanes));
        // Places 0, 1, 2, 3 lie at 0, 1, 4, 5 of the patch.
        const __m512i at = _mm512_add_epi32(place, _mm512_and_si512(place, _mm512_set1_epi32(2)));
        POLLUX_UNROLL
        for (int t = 0; t < kTaps; ++t) {
          const __m512i from = t ? _mm512_add_epi32(at, _mm512_set1_epi32(t / 3 * 4 + t % 3)) : at;
          sum[t][v] = vec_fma(_mm512_permutexvar_ps(from, patch), gradient, sum[t][v]);
        }
      }
    }
  }
  POLLUX_UNROLL
  for (int t = 0; t < kTaps; ++t) {
    POLLUX_UNROLL
    for (int v = 0; v < Vectors; ++v) {
      const Tail lanes = v + 1 < Vectors ? all : tail;
      float* to = partial + t * channels + v * kLanes;
      vec_store(to, accumulate ? vec_add(sum[t][v], vec_load(to, lanes)) : sum[t][v], lanes);
    }
  }
}

#else

constexpr bool kUnpoolsPatches = false;  // no instruction picks freely among 16 numbers

template <int Vectors>
inline void unpool_patches(const float*, int64_t, int64_t, int64_t, const float*, const uint8_t*, int64_t, Tail, float*,
                           bool) {}

#endif

}  // namespace
}  // namespace pollux
