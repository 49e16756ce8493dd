// The int32, int64 and bool instructions of elementwise programs. Sums and products wrap.
#include "../elementwise.h"

namespace pollux::POLLUX_LEVEL {
namespace {

template <typename T>
struct Unsigned;
template <>
struct Unsigned<int32_t> {
  using Type = uint32_t;
};
template <>
struct Unsigned<int64_t> {
  using Type = uint64_t;
};

template <typename T>
struct Integer {
  using U = typename Unsigned<T>::Type;
  static T wrap(U x) { return static_cast<T>(x); }
  static T neg(T x) { return wrap(U{0} - static_cast<U>(x)); }
  static T abs(T x) { return x < 0 ? neg(x) : x; }
  static T sign(T x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }
  static T square(T x) { return mul(x, x); }
  static T same(T x) { return x; }
  static T relu(T x) { return x > 0 ? x : 0; }
  static T add(T a, T b) { return wrap(static_cast<U>(a) + static_cast<U>(b)); }
  static T sub(T a, T b) { return wrap(static_cast<U>(a) - static_cast<U>(b)); }
  static T mul(T a, T b) { return wrap(static_cast<U>(a) * static_cast<U>(b)); }
  /// Toward zero; by zero gives 0; the lowest number by -1 wraps to itself.
  static T div(T a, T b) { return b == 0 ? 0 : b == -1 ? neg(a) : a / b; }
  /// The sign of the divisor; by zero gives 0.
  static T remainder(T a, T b) {
    if (b == 0 || b == -1) return 0;
    const T r = a % b;
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
  }
  /// a^b with wrapping products; a negative power of other numbers than 1 and -1 is truncated to 0.
  static T pow(T a, T b) {
    if (b < 0) return a == 1 ? 1 : a == -1 ? (b & 1 ? -1 : 1) : 0;
    T result = 1;
    for (T factor = a; b != 0; b >>= 1, factor = mul(factor, factor))
      if (b & 1) result = mul(result, factor);
    return result;
  }
  static T maximum(T a, T b) { return a > b ? a : b; }
  static T minimum(T a, T b) { return a < b ? a : b; }
};

template <typename T>
struct Compare {
  static uint8_t equal(T a, T b) { return a == b; }
  static uint8_t not_equal(T a, T b) { return a != b; }
  static uint8_t less(T a, T b) { return a < b; }
  static uint8_t less_equal(T a, T b) { return a <= b; }
  static uint8_t greater(T a, T b) { return a > b; }
  static uint8_t greater_equal(T a, T b) { return a >= b; }
};

inline uint8_t logical_not(uint8_t x) {
  return x == 0;
}
inline uint8_t logical_and(uint8_t a, uint8_t b) {
  return (a != 0) & (b != 0);
}
inline uint8_t logical_or(uint8_t a, uint8_t b) {
  return (a | b) != 0;
}
inline uint8_t logical_xor(uint8_t a, uint8_t b) {
  return (a != 0) != (b != 0);
}

// Element i depends on elements i alone, also where `to` is a source: nothing hinders vectors.
template <typename T, typename R, R (*function)(T)>
void unary(void* to, const void* const* sources, int64_t n) {
  const T* x = static_cast<const T*>(sources[0]);
  R* y = static_cast<R*>(to);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] = function(x[i]);
}

template <typename T, typename R, R (*function)(T, T)>
void binary(void* to, const void* const* sources, int64_t n) {
  const T* a = static_cast<const T*>(sources[0]);
  const T* b = static_cast<const T*>(sources[1]);
  R* y = static_cast<R*>(to);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] = function(a[i], b[i]);
}

struct Entry {
  const char* name;
  Apply apply;
};

template <typename T>
Apply find_arithmetic(const char* op) {
  using I = Integer<T>;
  static const Entry entries[] = {
      {"neg", unary<T, T, I::neg>},          {"abs", unary<T, T, I::abs>},
      {"sign", unary<T, T, I::sign>},        {"square", unary<T, T, I::square>},
      {"floor", unary<T, T, I::same>},       {"ceil", unary<T, T, I::same>},
      {"round", unary<T, T, I::same>},       {"relu", unary<T, T, I::relu>},
      {"add", binary<T, T, I::add>},         {"sub", binary<T, T, I::sub>},
      {"mul", binary<T, T, I::mul>},         {"div", binary<T, T, I::div>},
      {"pow", binary<T, T, I::pow>},         {"maximum", binary<T, T, I::maximum>},
      {"minimum", binary<T, T, I::minimum>}, {"remainder", binary<T, T, I::remainder>},
  };
  for (const Entry& entry : entries)
    if (strcmp(entry.name, op) == 0) return entry.apply;
  return nullptr;
}

template <typename T>
Apply find_comparison(const char* op) {
  using C = Compare<T>;
  static const Entry entries[] = {
      {"equal", binary<T, uint8_t, C::equal>},     {"notEqual", binary<T, uint8_t, C::not_equal>},
      {"less", binary<T, uint8_t, C::less>},       {"lessEqual", binary<T, uint8_t, C::less_equal>},
      {"greater", binary<T, uint8_t, C::greater>}, {"greaterEqual", binary<T, uint8_t, C::greater_equal>},
  };
  for (const Entry& entry : entries)
    if (strcmp(entry.name, op) == 0) return entry.apply;
  return nullptr;
}

Apply find_logic(const char* op) {
  static const Entry entries[] = {
      {"logicalNot", unary<uint8_t, uint8_t, logical_not>},
      {"logicalAnd", binary<uint8_t, uint8_t, logical_and>},
      {"logicalOr", binary<uint8_t, uint8_t, logical_or>},
      {"logicalXor", binary<uint8_t, uint8_t, logical_xor>},
  };
  for (const Entry& entry : entries)
    if (strcmp(entry.name, op) == 0) return entry.apply;
  return nullptr;
}

}  // namespace

Apply find_integer_instruction(const char* op, int32_t source_dtype) {
  Apply apply = nullptr;
  if (source_dtype == POLLUX_INT32) apply = find_arithmetic<int32_t>(op);
  if (source_dtype == POLLUX_INT64) apply = find_arithmetic<int64_t>(op);
  if (source_dtype == POLLUX_BOOL) apply = find_logic(op);
  if (apply) return apply;
  if (source_dtype == POLLUX_INT32) return find_comparison<int32_t>(op);
  if (source_dtype == POLLUX_INT64) return find_comparison<int64_t>(op);
  if (source_dtype == POLLUX_BOOL) return find_comparison<uint8_t>(op);
  return nullptr;
}

}  // namespace pollux::POLLUX_LEVEL
