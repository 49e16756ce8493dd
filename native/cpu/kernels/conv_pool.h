// Max pooling with windows that do not overlap, of rows that are still in cache, and its inverse.
#pragma once
#include "gemm_vector.h"

namespace pollux {
namespace {

struct Pooling {
  int64_t height, width;
};

#if defined(__AVX512F__)

// Where `x` takes the place of `best`: it is larger, or the first NaN.
inline __mmask16 vec_beats(Vec x, Vec best) {
  return _mm512_mask_cmp_ps_mask(_mm512_cmp_ps_mask(best, best, _CMP_ORD_Q), x, best, _CMP_NLE_UQ);
}
inline Vec vec_select(__mmask16 mask, Vec yes, Vec no) {
  return _mm512_mask_blend_ps(mask, no, yes);
}

// A place in the window for each lane.
using Places = __m128i;
inline Places no_places() {
  return _mm_setzero_si128();
}
inline Places select_place(__mmask16 mask, int place, Places no) {
  return _mm_mask_mov_epi8(no, mask, _mm_set1_epi8(static_cast<char>(place)));
}
inline void store_places(uint8_t* to, Places x, Tail tail) {
  _mm_mask_storeu_epi8(to, tail, x);
}
// x where the byte is `place`, zero elsewhere.
inline Vec vec_where_byte(const uint8_t* bytes, int place, Vec x, Tail tail) {
  const __m512i index = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(tail, bytes));
  return _mm512_maskz_mov_ps(_mm512_cmpeq_epi32_mask(index, _mm512_set1_epi32(place)), x);
}

#elif defined(__AVX2__)

inline Vec vec_beats(Vec x, Vec best) {
  return _mm256_and_ps(_mm256_cmp_ps(best, best, _CMP_ORD_Q), _mm256_cmp_ps(x, best, _CMP_NLE_UQ));
}
inline Vec vec_select(Vec mask, Vec yes, Vec no) {
  return _mm256_blendv_ps(no, yes, mask);
}

using Places = Vec;  // as floats
inline Places no_places() {
  return vec_zero();
}
inline Places select_place(Vec mask, int place, Places no) {
  return vec_select(mask, vec_set(static_cast<float>(place)), no);
}
inline void store_places(uint8_t* to, Places x, Tail tail) {
  alignas(32) int32_t number[8], here[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(number), _mm256_cvttps_epi32(x));
  _mm256_store_si256(reinterpret_cast<__m256i*>(here), tail);
  for (int i = 0; i < 8 && here[i]; ++i) to[i] = static_cast<uint8_t>(number[i]);
}
inline Vec vec_where_byte(const uint8_t* bytes, int place, Vec x, Tail tail) {
  alignas(32) int32_t here[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(here), tail);
  uint64_t word = 0;
  if (here[7]) {
    memcpy(&word, bytes, 8);
  } else {
    for (int i = 0; i < 8 && here[i]; ++i) word |= static_cast<uint64_t>(bytes[i]) << (8 * i);
  }
  const __m256i index = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(word)));
  return _mm256_and_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(index, _mm256_set1_epi32(place))), x);
}

#else

typedef int32_t VecMask __attribute__((vector_size(16)));
inline VecMask vec_beats(Vec x, Vec best) {
  return (best == best) & ~(x <= best);
}
inline Vec vec_select(VecMask mask, Vec yes, Vec no) {
  return mask ? yes : no;
}

using Places = Vec;  // as floats
inline Places no_places() {
  return vec_zero();
}
inline Places select_place(VecMask mask, int place, Places no) {
  return vec_select(mask, vec_set(static_cast<float>(place)), no);
}
inline void store_places(uint8_t* to, Places x, Tail tail) {
  for (int i = 0; i < tail; ++i) to[i] = static_cast<uint8_t>(x[i]);
}
inline Vec vec_where_byte(const uint8_t* bytes, int place, Vec x, Tail tail) {
  for (int i = 0; i < kLanes; ++i) x[i] = i < tail && bytes[i] == place ? x[i] : 0.0f;
  return x;
}

#endif

// One row of windows: x has pooling.height rows `pitch` apart, of pixels of `channels` numbers.
inline void pool_row(const Pooling& pooling, const float* x, int64_t pitch, int64_t columns, int64_t channels,
                     bool relu, float* y, uint8_t* index) {
  for (int64_t b = 0; b < columns; ++b) {
    for (int64_t c = 0; c < channels; c += kLanes) {
      const Tail tail = vec_tail(channels - c);
      const float* corner = x + b * pooling.width * channels + c;
      Vec best = vec_load(corner, tail);
      Places place = no_places();
      int number = 0;
      for (int64_t r = 0; r < pooling.height; ++r) {
        for (int64_t s = 0; s < pooling.width; ++s, ++number) {
          const Vec here = vec_load(corner + r * pitch + s * channels, tail);
          const auto beats = vec_beats(here, best);
          best = vec_select(beats, here, best);
          place = select_place(beats, number, place);
        }
      }
      vec_store(y + b * channels + c, relu ? vec_relu(best) : best, tail);
      store_places(index + b * channels + c, place, tail);
    }
  }
}

// Rows of the gradient before pooling: dy where the maximum was, zero elsewhere.
inline void unpool(const Pooling& pooling, int64_t rows, int64_t columns, int64_t channels, const float* dy,
                   const uint8_t* index, float* to) {
  const int64_t pitch = columns * pooling.width * channels;
  for (int64_t a = 0; a < rows; ++a) {
    for (int64_t b = 0; b < columns; ++b, dy += channels, index += channels) {
      for (int64_t c = 0; c < channels; c += kLanes) {
        const Tail tail = vec_tail(channels - c);
        const Vec gradient = vec_load(dy + c, tail);
        for (int64_t r = 0; r < pooling.height; ++r) {
          float* pixel = to + (a * pooling.height + r) * pitch + b * pooling.width * channels + c;
          for (int64_t s = 0; s < pooling.width; ++s) {
            vec_store(pixel + s * channels,
                      vec_where_byte(index + c, static_cast<int>(r * pooling.width + s), gradient, tail), tail);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace pollux
