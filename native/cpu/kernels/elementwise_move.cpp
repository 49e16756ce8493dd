// where and cast, for all eight dtypes.
#include "../convert.h"
#include "../elementwise.h"

namespace pollux::POLLUX_LEVEL {
namespace {

template <typename T>
void where(void* to, const void* const* sources, int64_t n) {
  const uint8_t* condition = static_cast<const uint8_t*>(sources[0]);
  const T* a = static_cast<const T*>(sources[1]);
  const T* b = static_cast<const T*>(sources[2]);
  T* y = static_cast<T*>(to);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    const T yes = a[i], no = b[i];  // both are read, so that the choice is a blend
    y[i] = condition[i] ? yes : no;
  }
}

template <typename From, typename To>
void cast(void* to, const void* const* sources, int64_t n) {
  const From* x = static_cast<const From*>(sources[0]);
  To* y = static_cast<To*>(to);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] = Make<To>::of(value_of(x[i]));
}

#if defined(__F16C__)  // the compiler does not find these by itself
void float16_to_float(void* to, const void* const* sources, int64_t n) {
  const uint16_t* x = static_cast<const uint16_t*>(sources[0]);
  float* y = static_cast<float*>(to);
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(y + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x + i))));
  for (; i < n; ++i) y[i] = _cvtsh_ss(x[i]);
}

void float_to_float16(void* to, const void* const* sources, int64_t n) {
  const float* x = static_cast<const float*>(sources[0]);
  uint16_t* y = static_cast<uint16_t*>(to);
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(y + i),
                     _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
  for (; i < n; ++i) y[i] = static_cast<uint16_t>(_cvtss_sh(x[i], _MM_FROUND_TO_NEAREST_INT));
}
#endif

}  // namespace

Apply find_move_instruction(const char* op, int32_t source_dtype, int32_t dtype) {
  if (strcmp(op, "where") == 0) {
    const int64_t bytes = byte_size(dtype);
    return bytes == 1 ? where<uint8_t> : bytes == 2 ? where<uint16_t> : bytes == 4 ? where<uint32_t> : where<uint64_t>;
  }
  if (strcmp(op, "cast") != 0) return nullptr;
#if defined(__F16C__)
  if (source_dtype == POLLUX_FLOAT16 && dtype == POLLUX_FLOAT32) return float16_to_float;
  if (source_dtype == POLLUX_FLOAT32 && dtype == POLLUX_FLOAT16) return float_to_float16;
#endif
  return visit_dtype(source_dtype, [&](auto from) {
    return visit_dtype(dtype, [&](auto to) -> Apply { return cast<decltype(from), decltype(to)>; });
  });
}

}  // namespace pollux::POLLUX_LEVEL
