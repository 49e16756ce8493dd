// Strided iteration over several operands of one shape: axes collapsed at prepare, a walk over rows at run.
#pragma once
#include "kernel.h"

namespace pollux {
namespace {

constexpr int max_operands = 64;  // inputs and outputs of one elementwise program

/// The common shape of operands and the strides of each, with neighbouring axes merged where every operand allows it
/// and axes of length 1 dropped. At least one axis is left.
struct Layout {
  int64_t count;  // elements
  int rank;
  int operands;
  int64_t shape[POLLUX_MAX_RANK];
  int64_t stride[max_operands][POLLUX_MAX_RANK];
};

inline int64_t magnitude(int64_t x) {
  return x < 0 ? -x : x;
}

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

/// Copies n elements between two strided rows.
template <typename T>
inline void copy_row(const T* __restrict from, int64_t from_stride, T* __restrict to, int64_t to_stride, int64_t n) {
  if (to_stride == 1 && from_stride == 1) {
    memcpy(to, from, static_cast<size_t>(n) * sizeof(T));
  } else if (to_stride == 1 && from_stride == 0) {
    const T value = *from;
    for (int64_t i = 0; i < n; ++i) to[i] = value;
  } else if (to_stride == 1) {
    for (int64_t i = 0; i < n; ++i) to[i] = from[i * from_stride];
  } else {
    for (int64_t i = 0; i < n; ++i) to[i * to_stride] = from[i * from_stride];
  }
}

/// Copies innermost rows [begin, end) from operand 0 to operand 1 of a layout.
template <typename T>
inline void copy_rows(const Layout& layout, const T* from, T* to, int64_t begin, int64_t end) {
  const int inner = layout.rank - 1;
  Walk walk = start_walk(layout, inner, begin);
  for (int64_t row = begin; row < end; ++row) {
    copy_row(from + walk.offset[0], layout.stride[0][inner], to + walk.offset[1], layout.stride[1][inner],
             layout.shape[inner]);
    step_walk(layout, inner, &walk);
  }
}

/// Innermost rows of a layout, cut into chunks of about 64 Ki elements.
inline Chunks plan_rows(const Layout& layout) {
  const int64_t width = layout.shape[layout.rank - 1];
  return layout.count == 0 ? Chunks{0, 1, 0} : plan_chunks(layout.count / width, ceil_div(65536, width));
}

/// Calls visit(unsigned integer of that size): elements move by their bytes alone.
template <typename Visit>
inline void visit_size(int64_t bytes, const Visit& visit) {
  if (bytes == 1) return visit(uint8_t{});
  if (bytes == 2) return visit(uint16_t{});
  if (bytes == 4) return visit(uint32_t{});
  return visit(uint64_t{});
}

/// Calls visit(offset, count) for the stretches of innermost rows that make up elements [begin, begin + n), in
/// row-major order, with the offset of one operand.
template <typename Visit>
inline void visit_rows(const Layout& layout, int operand, int64_t begin, int64_t n, const Visit& visit) {
  const int inner = layout.rank - 1;
  const int64_t* stride = layout.stride[operand];
  int64_t index[POLLUX_MAX_RANK], offset = 0;
  for (int axis = inner; axis >= 0; --axis) {
    index[axis] = begin % layout.shape[axis];
    begin /= layout.shape[axis];
    offset += index[axis] * stride[axis];
  }
  while (n > 0) {
    const int64_t count = min64(n, layout.shape[inner] - index[inner]);
    visit(offset, count);
    n -= count;
    offset -= index[inner] * stride[inner];
    index[inner] = 0;
    for (int axis = inner - 1; axis >= 0; --axis) {
      offset += stride[axis];
      if (++index[axis] < layout.shape[axis]) break;
      offset -= stride[axis] * layout.shape[axis];
      index[axis] = 0;
    }
  }
}

}  // namespace
}  // namespace pollux
