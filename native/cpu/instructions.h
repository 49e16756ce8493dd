// The instructions that elementwise programs may use: X(name, how many sources, dtypes of the value that it defines).
#pragma once
#include "../backend.h"

// Which dtypes: F float32; N float32, int32, int64; B bool; A all eight.
// clang-format off
#define POLLUX_INSTRUCTIONS(X) \
  X(neg, 1, N) X(abs, 1, N) X(sign, 1, N) X(square, 1, N) \
  X(exp, 1, F) X(expm1, 1, F) X(log, 1, F) X(log1p, 1, F) X(sqrt, 1, F) X(rsqrt, 1, F) X(reciprocal, 1, F) \
  X(sin, 1, F) X(cos, 1, F) X(tan, 1, F) X(tanh, 1, F) X(sigmoid, 1, F) X(erf, 1, F) \
  X(exp2, 1, F) X(log2, 1, F) X(log10, 1, F) X(atan, 1, F) X(erfc, 1, F) X(erfinv, 1, F) X(lgamma, 1, F) \
  X(floor, 1, N) X(ceil, 1, N) X(round, 1, N) X(relu, 1, N) \
  X(softplus, 1, F) X(silu, 1, F) X(gelu, 1, F) X(geluTanh, 1, F) \
  X(isNan, 1, B) X(isFinite, 1, B) X(logicalNot, 1, B) \
  X(add, 2, N) X(sub, 2, N) X(mul, 2, N) X(div, 2, N) X(pow, 2, N) X(maximum, 2, N) X(minimum, 2, N) X(remainder, 2, N) X(atan2, 2, F) \
  X(equal, 2, B) X(notEqual, 2, B) X(less, 2, B) X(lessEqual, 2, B) X(greater, 2, B) X(greaterEqual, 2, B) \
  X(logicalAnd, 2, B) X(logicalOr, 2, B) X(logicalXor, 2, B) \
  X(where, 3, A) X(cast, 1, A) X(constant, 0, A)
// clang-format on

namespace pollux {
extern const PolluxKernelInfo instructions[];
extern const int32_t instruction_count;
}  // namespace pollux
