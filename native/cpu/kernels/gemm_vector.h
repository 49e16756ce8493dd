// The few vector operations that matrix kernels need, at the width of the level that this file is compiled for.
// A Tail says how many lanes of the last vector of a row exist: masked loads never touch memory beyond it.
#pragma once
#include "../kernel.h"

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#define POLLUX_UNROLL _Pragma("GCC unroll 16")

namespace pollux {
namespace {

#if defined(__AVX512F__)

using Vec = __m512;
using Tail = __mmask16;
constexpr int kLanes = 16;
constexpr int kTileRows = 14;  // 14 x 2 accumulators, 2 vectors of B, broadcasts folded: all 32 registers

inline Tail vec_tail(int64_t lanes) {
  return lanes >= 16 ? 0xffff : lanes <= 0 ? 0 : (1u << lanes) - 1;
}
inline Vec vec_zero() {
  return _mm512_setzero_ps();
}
inline Vec vec_set(float x) {
  return _mm512_set1_ps(x);
}
inline Vec vec_load(const float* p) {
  return _mm512_loadu_ps(p);
}
inline Vec vec_load(const float* p, Tail tail) {
  return _mm512_maskz_loadu_ps(tail, p);
}
inline void vec_store(float* p, Vec x) {
  _mm512_storeu_ps(p, x);
}
inline void vec_store(float* p, Vec x, Tail tail) {
  _mm512_mask_storeu_ps(p, tail, x);
}
inline Vec vec_add(Vec a, Vec b) {
  return _mm512_add_ps(a, b);
}
inline Vec vec_fma(Vec a, Vec b, Vec c) {
  return _mm512_fmadd_ps(a, b, c);
}
inline Vec vec_relu(Vec x) {
  return _mm512_max_ps(_mm512_setzero_ps(), x);
}  // this order keeps NaN

#elif defined(__AVX2__)

using Vec = __m256;
using Tail = __m256i;
constexpr int kLanes = 8;
constexpr int kTileRows = 6;

inline Tail vec_tail(int64_t lanes) {
  const int n = lanes > 8 ? 8 : lanes < 0 ? 0 : static_cast<int>(lanes);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline Vec vec_zero() {
  return _mm256_setzero_ps();
}
inline Vec vec_set(float x) {
  return _mm256_set1_ps(x);
}
inline Vec vec_load(const float* p) {
  return _mm256_loadu_ps(p);
}
inline Vec vec_load(const float* p, Tail tail) {
  return _mm256_maskload_ps(p, tail);
}
inline void vec_store(float* p, Vec x) {
  _mm256_storeu_ps(p, x);
}
inline void vec_store(float* p, Vec x, Tail tail) {
  _mm256_maskstore_ps(p, tail, x);
}
inline Vec vec_add(Vec a, Vec b) {
  return _mm256_add_ps(a, b);
}
inline Vec vec_fma(Vec a, Vec b, Vec c) {
  return _mm256_fmadd_ps(a, b, c);
}
inline Vec vec_relu(Vec x) {
  return _mm256_max_ps(_mm256_setzero_ps(), x);
}

#else

typedef float Vec __attribute__((vector_size(16)));
using Tail = int;
constexpr int kLanes = 4;
constexpr int kTileRows = 4;

inline Tail vec_tail(int64_t lanes) {
  return lanes > 4 ? 4 : lanes < 0 ? 0 : static_cast<int>(lanes);
}
inline Vec vec_zero() {
  return Vec{0, 0, 0, 0};
}
inline Vec vec_set(float x) {
  return Vec{x, x, x, x};
}
inline Vec vec_load(const float* p) {
  Vec x;
  __builtin_memcpy(&x, p, sizeof x);
  return x;
}
inline Vec vec_load(const float* p, Tail tail) {
  Vec x = vec_zero();
  for (int i = 0; i < tail; ++i) x[i] = p[i];
  return x;
}
inline void vec_store(float* p, Vec x) {
  __builtin_memcpy(p, &x, sizeof x);
}
inline void vec_store(float* p, Vec x, Tail tail) {
  for (int i = 0; i < tail; ++i) p[i] = x[i];
}
inline Vec vec_add(Vec a, Vec b) {
  return a + b;
}
inline Vec vec_fma(Vec a, Vec b, Vec c) {
  return a * b + c;
}  // two roundings where the level has no FMA
inline Vec vec_relu(Vec x) {
  for (int i = 0; i < 4; ++i) x[i] = x[i] < 0 ? 0.0f : x[i];
  return x;
}

#endif

constexpr int kPanel = 2 * kLanes;  // columns of a packed panel of B

// Sum of the lanes, by halves.
inline float vec_sum(Vec x) {
  alignas(64) float lane[kLanes];
  vec_store(lane, x);
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lane[i] += lane[i + width];
  }
  return lane[0];
}

}  // namespace
}  // namespace pollux
