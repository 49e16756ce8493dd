// Strided iteration over several operands of one shape: axes collapsed at prepare, a walk over rows at run.
#pragma once
#include "kernel.h"

namespace pollux {
namespace {

constexpr int max_operands = 24;  // inputs and outputs of one elementwise program

/// The common shape of operands and the strides of each, with neighbouring axes merged where every operand allows it and
/// axes of length 1 dropped. At least one axis is left.
struct Layout {
  int64_t count;  // elements
  int rank;
  int operands;
  int64_t shape[POLLUX_MAX_RANK];
  int64_t stride[max_operands][POLLUX_MAX_RANK];
};

inline int64_t magnitude(int64_t x) { return x < 0 ? -x : x; }

/// Axes are ordered by the strides of operand `order_by`, outermost first, so that a permuted layout that the operands
/// share is walked in the order of memory; merging keeps the order of a row-major operand as it is.
inline Layout collapse(const PolluxOperand* const* operands, int count, int order_by) {
  const PolluxOperand& shape = *operands[order_by];
  int order[POLLUX_MAX_RANK];
  int rank = 0;
  for (int axis = 0; axis < shape.rank; ++axis)
    if (shape.shape[axis] != 1) order[rank++] = axis;
  for (int i = 1; i < rank; ++i)  // insertion sort: stable, so equal strides keep their order
    for (int j = i; j > 0 && magnitude(shape.stride[order[j - 1]]) < magnitude(shape.stride[order[j]]); --j) {
      const int axis = order[j];
      order[j] = order[j - 1];
      order[j - 1] = axis;
    }
  Layout layout = {};
  layout.count = element_count(shape);
  layout.operands = count;
  for (int i = 0; i < rank; ++i) {
    const int axis = order[i], last = layout.rank - 1;
    bool merges = layout.rank > 0;
    for (int k = 0; k < count && merges; ++k)
      merges = layout.stride[k][last] == operands[k]->stride[axis] * shape.shape[axis];
    const int to = merges ? last : layout.rank++;
    layout.shape[to] = merges ? layout.shape[last] * shape.shape[axis] : shape.shape[axis];
    for (int k = 0; k < count; ++k) layout.stride[k][to] = operands[k]->stride[axis];
  }
  if (layout.rank == 0) {  // a scalar: one row of one element
    layout.rank = 1;
    layout.shape[0] = layout.count;
    for (int k = 0; k < count; ++k) layout.stride[k][0] = 1;
  }
  return layout;
}

/// A position in the first `axes` axes of a layout, with the offset of each operand.
struct Walk {
  int64_t index[POLLUX_MAX_RANK];
  int64_t offset[max_operands];
};

/// The position number `item` in row-major order of the first `axes` axes.
inline Walk start_walk(const Layout& layout, int axes, int64_t item) {
  Walk walk = {};
  for (int axis = axes - 1; axis >= 0; --axis) {
    walk.index[axis] = item % layout.shape[axis];
    item /= layout.shape[axis];
    for (int k = 0; k < layout.operands; ++k) walk.offset[k] += walk.index[axis] * layout.stride[k][axis];
  }
  return walk;
}

inline void step_walk(const Layout& layout, int axes, Walk* walk) {
  for (int axis = axes - 1; axis >= 0; --axis) {
    for (int k = 0; k < layout.operands; ++k) walk->offset[k] += layout.stride[k][axis];
    if (++walk->index[axis] < layout.shape[axis]) return;
    for (int k = 0; k < layout.operands; ++k) walk->offset[k] -= layout.stride[k][axis] * layout.shape[axis];
    walk->index[axis] = 0;
  }
}

}  // namespace
}  // namespace pollux
