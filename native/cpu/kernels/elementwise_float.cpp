// The float32 instructions of elementwise programs.
#include "../elementwise.h"
#include "../simd_math.h"
#include "../special_math.h"

namespace pollux::POLLUX_LEVEL {
namespace {

// Functions over vectors.
template <Floats (*function)(Floats)>
void unary(void* to, const void* const* sources, int64_t n) {
  const float* x = static_cast<const float*>(sources[0]);
  float* y = static_cast<float*>(to);
  for_each_vector(n, [&](int64_t i, int count) { store_some(y + i, function(load_some(x + i, count)), count); });
}

template <Floats (*function)(Floats, Floats)>
void binary(void* to, const void* const* sources, int64_t n) {
  const float* a = static_cast<const float*>(sources[0]);
  const float* b = static_cast<const float*>(sources[1]);
  float* y = static_cast<float*>(to);
  for_each_vector(n, [&](int64_t i, int count) {
    store_some(y + i, function(load_some(a + i, count), load_some(b + i, count)), count);
  });
}

// The same where one source is a single number: it stays in a register.
template <Floats (*function)(Floats, Floats)>
void left_shared(void* to, const void* const* sources, int64_t n) {
  const Floats a = broadcast(*static_cast<const float*>(sources[0]));
  const float* b = static_cast<const float*>(sources[1]);
  float* y = static_cast<float*>(to);
  for_each_vector(n, [&](int64_t i, int count) { store_some(y + i, function(a, load_some(b + i, count)), count); });
}

template <Floats (*function)(Floats, Floats)>
void right_shared(void* to, const void* const* sources, int64_t n) {
  const float* a = static_cast<const float*>(sources[0]);
  const Floats b = broadcast(*static_cast<const float*>(sources[1]));
  float* y = static_cast<float*>(to);
  for_each_vector(n, [&](int64_t i, int count) { store_some(y + i, function(load_some(a + i, count), b), count); });
}

// Functions of the C library, element by element.
template <float (*function)(float)>
void unary_scalar(void* to, const void* const* sources, int64_t n) {
  const float* x = static_cast<const float*>(sources[0]);
  float* y = static_cast<float*>(to);
  for (int64_t i = 0; i < n; ++i) y[i] = function(x[i]);
}

template <float (*function)(float, float)>
void binary_scalar(void* to, const void* const* sources, int64_t n) {
  const float* a = static_cast<const float*>(sources[0]);
  const float* b = static_cast<const float*>(sources[1]);
  float* y = static_cast<float*>(to);
  for (int64_t i = 0; i < n; ++i) y[i] = function(a[i], b[i]);
}

// Tests to bool: a plain loop, which the compiler packs into bytes.
template <bool (*test)(float, float)>
void compare(void* to, const void* const* sources, int64_t n) {
  const float* a = static_cast<const float*>(sources[0]);
  const float* b = static_cast<const float*>(sources[1]);
  uint8_t* __restrict y = static_cast<uint8_t*>(to);
  for (int64_t i = 0; i < n; ++i) y[i] = test(a[i], b[i]);
}

template <bool (*test)(float)>
void classify(void* to, const void* const* sources, int64_t n) {
  const float* x = static_cast<const float*>(sources[0]);
  uint8_t* __restrict y = static_cast<uint8_t*>(to);
  for (int64_t i = 0; i < n; ++i) y[i] = test(x[i]);
}

inline Floats sign(Floats x) {
  return select(x > zero(), broadcast(1.0f), select(x < zero(), broadcast(-1.0f), x));
}
inline Floats square(Floats x) {
  return x * x;
}
inline Floats rsqrt(Floats x) {
  return broadcast(1.0f) / sqrt(x);
}
inline Floats reciprocal(Floats x) {
  return broadcast(1.0f) / x;
}
inline Floats relu(Floats x) {
  return select(x <= zero(), zero(), x);
}  // NaN stays
inline Floats add(Floats a, Floats b) {
  return a + b;
}
inline Floats sub(Floats a, Floats b) {
  return a - b;
}
inline Floats mul(Floats a, Floats b) {
  return a * b;
}
inline Floats div(Floats a, Floats b) {
  return a / b;
}

inline float power(float a, float b) {
  return ::powf(a, b);
}
inline float log10_scalar(float x) {
  return ::log10f(x);
}
inline float erfc_scalar(float x) {
  return ::erfcf(x);
}
inline float log_gamma(float x) {
  int sign;
  return static_cast<float>(::lgamma_r(x, &sign));
}

inline bool is_nan_test(float x) {
  return x != x;
}
inline bool is_finite_test(float x) {
  return __builtin_fabsf(x) < INFINITY;
}
inline bool equal(float a, float b) {
  return a == b;
}
inline bool not_equal(float a, float b) {
  return a != b;
}
inline bool less(float a, float b) {
  return a < b;
}
inline bool less_equal(float a, float b) {
  return a <= b;
}
inline bool greater_than(float a, float b) {
  return a > b;
}
inline bool greater_equal(float a, float b) {
  return a >= b;
}

struct Entry {
  const char* name;
  Apply apply;
};

const Entry entries[] = {
    {"neg", unary<negate>},
    {"abs", unary<absolute>},
    {"sign", unary<sign>},
    {"square", unary<square>},
    {"exp", unary<exp>},
    {"expm1", unary<expm1>},
    {"log", unary<log>},
    {"log1p", unary<log1p>},
    {"sqrt", unary<sqrt>},
    {"rsqrt", unary<rsqrt>},
    {"reciprocal", unary<reciprocal>},
    {"sin", unary<sin>},
    {"cos", unary<cos>},
    {"tan", unary<tan>},
    {"tanh", unary<tanh>},
    {"sigmoid", unary<sigmoid>},
    {"erf", unary<erf>},
    {"exp2", unary<exp2>},
    {"log2", unary<log2>},
    {"log10", unary_scalar<log10_scalar>},
    {"atan", unary<atan>},
    {"erfc", unary_scalar<erfc_scalar>},
    {"erfinv", unary_scalar<inverse_erf>},
    {"lgamma", unary_scalar<log_gamma>},
    {"floor", unary<floor>},
    {"ceil", unary<ceil>},
    {"round", unary<round>},
    {"relu", unary<relu>},
    {"softplus", unary<softplus>},
    {"silu", unary<silu>},
    {"gelu", unary<gelu>},
    {"geluTanh", unary<gelu_tanh>},
    {"isNan", classify<is_nan_test>},
    {"isFinite", classify<is_finite_test>},
    {"add", binary<add>},
    {"sub", binary<sub>},
    {"mul", binary<mul>},
    {"div", binary<div>},
    {"pow", binary_scalar<power>},
    {"maximum", binary<maximum>},
    {"minimum", binary<minimum>},
    {"remainder", binary<remainder>},
    {"atan2", binary<atan2>},
    {"equal", compare<equal>},
    {"notEqual", compare<not_equal>},
    {"less", compare<less>},
    {"lessEqual", compare<less_equal>},
    {"greater", compare<greater_than>},
    {"greaterEqual", compare<greater_equal>},
};

struct SharedEntry {
  const char* name;
  Apply apply[2];  // with the left, with the right source shared
};

const SharedEntry shared_entries[] = {
    {"add", {left_shared<add>, right_shared<add>}},
    {"sub", {left_shared<sub>, right_shared<sub>}},
    {"mul", {left_shared<mul>, right_shared<mul>}},
    {"div", {left_shared<div>, right_shared<div>}},
    {"maximum", {left_shared<maximum>, right_shared<maximum>}},
    {"minimum", {left_shared<minimum>, right_shared<minimum>}},
};

}  // namespace

Apply find_shared_instruction(const char* op, int32_t source_dtype, int shared) {
  if (source_dtype != POLLUX_FLOAT32) return nullptr;
  for (const SharedEntry& entry : shared_entries)
    if (strcmp(entry.name, op) == 0) return entry.apply[shared];
  return nullptr;
}

Apply find_float_instruction(const char* op, int32_t source_dtype) {
  if (source_dtype != POLLUX_FLOAT32) return nullptr;
  for (const Entry& entry : entries)
    if (strcmp(entry.name, op) == 0) return entry.apply;
  return nullptr;
}

}  // namespace pollux::POLLUX_LEVEL
