// Vectors of small whole numbers, stored as bytes: the places that maxPool2d remembers.
#pragma once
#include "../simd.h"

namespace pollux {
namespace {

/// Stores the first n lanes, whole numbers in [0, 255], as bytes.
inline void store_bytes(uint8_t* p, Floats a, int n) {
#if defined(__AVX512F__)
  _mm512_mask_cvtepi32_storeu_epi8(p, n == lanes ? 0xffff : first_lanes(n).v, to_ints(a).v);
#elif defined(__AVX2__)
  const __m256i words = _mm256_packus_epi32(to_ints(a).v, _mm256_setzero_si256());
  const __m256i bytes = _mm256_packus_epi16(words, words);  // four bytes at the start of each half
  const uint32_t halves[2] = {static_cast<uint32_t>(_mm256_extract_epi32(bytes, 0)),
                              static_cast<uint32_t>(_mm256_extract_epi32(bytes, 4))};
  memcpy(p, halves, static_cast<size_t>(n));
#else
  if (n > 0) *p = static_cast<uint8_t>(a.v);
#endif
}

/// n bytes as whole numbers; zero in the other lanes.
inline Ints load_bytes(const uint8_t* p, int n) {
#if defined(__AVX512F__)
  return {_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(n == lanes ? 0xffff : first_lanes(n).v, p))};
#elif defined(__AVX2__)
  int64_t bytes = 0;
  if (n == lanes)
    memcpy(&bytes, p, 8);
  else
    memcpy(&bytes, p, static_cast<size_t>(n));
  return {_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(bytes))};
#else
  return {n > 0 ? *p : 0};
#endif
}

}  // namespace
}  // namespace pollux
