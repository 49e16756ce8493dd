// The interface of one kernel inside the CPU twin, and the few helpers that every kernel needs.
//
// Each file in kernels/ is compiled once per instruction-set level, with POLLUX_LEVEL naming the level (scalar, avx2,
// avx512). A family file exports one table, `namespace pollux::POLLUX_LEVEL { extern const KernelTable pool_kernels;
// }`, listed in families.h; everything else in it sits in an anonymous namespace. Objects must define no weak symbols
// (no std:: templates, no inline functions outside anonymous namespaces): the linker would merge the levels' copies and
// could pick the one that the machine cannot run. Memory of prepared steps is malloc'ed; kernels use no containers.
#pragma once
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../backend.h"

#ifndef POLLUX_LEVEL
#define POLLUX_LEVEL scalar  // for editors; the build defines it
#endif

namespace pollux {

/// What a run receives.
struct RunContext {
  void* const* operands;  ///< inputs, then outputs; each points at element [0, 0, ...]
  void* scratch;          ///< Prepared::scratch_bytes, aligned to 64 bytes; garbage at first
  PolluxStatus* status;
  const PolluxHost* host;
};

/// A step made ready to run many times. `prepare` fills `run`, `parameters` and `scratch_bytes`; the backend fills the
/// rest.
struct Prepared {
  void (*run)(const Prepared&, const RunContext&);
  void* parameters;  ///< one malloc'ed block (see make_parameters), freed by the backend
  uint64_t scratch_bytes;
  uint64_t packed_bytes;   ///< how much of the parameter block is packed weights or tables, for the memory figures
  const PolluxStep* step;  ///< lives as long as the prepared step
};

/// One kernel: how it is described, and what prepares a step of it.
struct Kernel {
  PolluxKernelInfo info;
  PolluxResult (*prepare)(const PolluxStep&, Prepared*);
};

/// What one family file exports for one level.
struct KernelTable {
  const Kernel* kernels;
  int32_t count;
};

namespace {  // internal linkage in every object, see above

constexpr uint32_t dtype_bit(PolluxDtype dtype) {
  return 1u << dtype;
}
constexpr uint32_t all_dtypes = (1u << POLLUX_DTYPE_COUNT) - 1;

/// Bytes of one element.
constexpr int64_t byte_size(int32_t dtype) {
  constexpr int8_t sizes[] = {4, 2, 2, 1, 1, 4, 8, 1};
  return sizes[dtype];
}

// ---- operands ----------------------------------------------------------------------------------------------------

inline const PolluxOperand& input(const PolluxStep& step, int i) {
  return step.operands[i];
}
inline const PolluxOperand& output(const PolluxStep& step, int i) {
  return step.operands[step.input_count + i];
}

inline int64_t element_count(const PolluxOperand& operand) {
  int64_t count = 1;
  for (int axis = 0; axis < operand.rank; ++axis) count *= operand.shape[axis];
  return count;
}

/// Product of shape[from .. to).
inline int64_t extent(const PolluxOperand& operand, int from, int to) {
  int64_t count = 1;
  for (int axis = from; axis < to; ++axis) count *= operand.shape[axis];
  return count;
}

/// True if the elements lie in row-major order without gaps (axes of length 1 may have any stride).
inline bool is_contiguous(const PolluxOperand& operand) {
  int64_t expected = 1;
  for (int axis = operand.rank - 1; axis >= 0; --axis) {
    if (operand.shape[axis] != 1 && operand.stride[axis] != expected) return false;
    expected *= operand.shape[axis];
  }
  return true;
}

// ---- attributes --------------------------------------------------------------------------------------------------

inline const PolluxAttribute* find_attribute(const PolluxStep& step, const char* name) {
  for (int i = 0; i < step.attribute_count; ++i)
    if (strcmp(step.attributes[i].name, name) == 0) return &step.attributes[i];
  return nullptr;
}

/// The attribute as one number; `fallback` if the step does not carry it.
inline double number(const PolluxStep& step, const char* name, double fallback = 0) {
  const PolluxAttribute* attribute = find_attribute(step, name);
  return attribute && attribute->count > 0 ? attribute->numbers[0] : fallback;
}

inline int64_t integer(const PolluxStep& step, const char* name, int64_t fallback = 0) {
  return static_cast<int64_t>(number(step, name, static_cast<double>(fallback)));
}

inline bool boolean(const PolluxStep& step, const char* name, bool fallback = false) {
  return number(step, name, fallback) != 0;
}

inline const char* text(const PolluxStep& step, const char* name, const char* fallback = "") {
  const PolluxAttribute* attribute = find_attribute(step, name);
  return attribute && attribute->text ? attribute->text : fallback;
}

/// Copies the numbers of a list attribute to `values` (at most `capacity`) and returns how many there are.
inline int numbers(const PolluxStep& step, const char* name, int64_t* values, int capacity) {
  const PolluxAttribute* attribute = find_attribute(step, name);
  if (!attribute) return 0;
  for (int i = 0; i < attribute->count && i < capacity; ++i) values[i] = static_cast<int64_t>(attribute->numbers[i]);
  return attribute->count;
}

// ---- preparing ---------------------------------------------------------------------------------------------------

/// The zeroed parameter block of a prepared step, plus `extra_bytes` behind it; null when out of memory. The backend
/// frees it, so T has no destructor.
template <typename T>
inline T* make_parameters(Prepared* prepared, size_t extra_bytes = 0) {
  prepared->parameters = calloc(1, sizeof(T) + extra_bytes);
  return static_cast<T*>(prepared->parameters);
}

template <typename T>
inline const T& parameters(const Prepared& prepared) {
  return *static_cast<const T*>(prepared.parameters);
}

template <typename T>
inline const T* input_data(const Prepared&, const RunContext& context, int i) {
  return static_cast<const T*>(context.operands[i]);
}

template <typename T>
inline T* output_data(const Prepared& prepared, const RunContext& context, int i) {
  return static_cast<T*>(context.operands[prepared.step->input_count + i]);
}

// ---- running -----------------------------------------------------------------------------------------------------

constexpr int64_t min64(int64_t a, int64_t b) {
  return a < b ? a : b;
}
constexpr int64_t max64(int64_t a, int64_t b) {
  return a > b ? a : b;
}
constexpr int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}
constexpr int64_t round_up(int64_t a, int64_t b) {
  return ceil_div(a, b) * b;
}

/// A range cut into chunks by its length alone, never by the number of threads.
struct Chunks {
  int64_t total;
  int64_t size;
  int64_t count;
  int64_t begin(int64_t i) const { return i * size; }
  int64_t end(int64_t i) const { return min64(total, (i + 1) * size); }
};

/// Chunks of whole multiples of `grain` items, `grain` being what is worth handing to a thread (about 20 microseconds
/// of work), and at most `most` of them.
inline Chunks plan_chunks(int64_t total, int64_t grain, int64_t most = 64) {
  if (total <= 0) return {0, 1, 0};
  const int64_t size = round_up(max64(1, ceil_div(total, most)), max64(1, grain));
  return {total, size, ceil_div(total, size)};
}

/// Calls work(i) for each i in [0, chunks), on any threads of the pool; returns when all are done.
template <typename Work>
inline void parallel(const RunContext& context, int64_t chunks, const Work& work) {
  if (chunks <= 1) {
    if (chunks == 1) work(0);
    return;
  }
  context.host->parallel(
      context.host->context, static_cast<int32_t>(chunks),
      [](void* argument, int32_t chunk) { (*static_cast<const Work*>(argument))(static_cast<int64_t>(chunk)); },
      const_cast<Work*>(&work));
}

/// Sets the status word unless an earlier step has. Of several elements in one step the lowest wins, so that the
/// message does not depend on threads. The word is read by others only after the step.
inline void report(const Prepared& prepared, const RunContext& context, PolluxStatusCode code, int64_t element,
                   int64_t detail) {
  static char lock = 0;
  while (__atomic_test_and_set(&lock, __ATOMIC_ACQUIRE)) {
  }
  PolluxStatus& status = *context.status;
  if (status.code == POLLUX_OK ||
      (status.step == prepared.step->index && status.code == code && element < status.element))
    status = {code, prepared.step->index, element, detail};
  __atomic_clear(&lock, __ATOMIC_RELEASE);
}

}  // namespace
}  // namespace pollux
