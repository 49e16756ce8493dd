// How a reduction walks its operand: axes split into kept and reduced ones, and work cut by shape.
#pragma once
#include "layout.h"

namespace pollux {
namespace {

constexpr int64_t block_length = 2048;  // reduced elements of one output that are accumulated before a total takes them
constexpr int64_t block_rows = 32;      // the same where columns are reduced, in rows
constexpr int64_t block_columns = 1024;  // outputs accumulated side by side where columns are reduced

/// Rows: the elements of one output are gathered into blocks and folded. Columns: neighbouring outputs lie side by side
/// in memory, and whole rows of them are accumulated.
struct Reduction {
  Layout kept;     // operand 0: the input, operand 1: the output; both over the axes that stay
  Layout reduced;  // operand 0: the input, over the axes that go
  bool columns;
  int64_t width;        // outputs of one unit: 1, or up to block_columns
  int64_t units;        // pieces of output: outputs, or blocks of columns
  int64_t units_a_row;  // columns only: blocks in one innermost row of the kept axes
  Chunks unit_chunks;
  Chunks length_chunks;  // of the reduced elements; more than one only where there are few units
};

inline PolluxOperand drop_axes(const PolluxOperand& operand, const bool* drop) {
  PolluxOperand left = operand;
  left.rank = 0;
  for (int axis = 0; axis < operand.rank; ++axis) {
    if (drop[axis]) continue;
    left.shape[left.rank] = operand.shape[axis];
    left.stride[left.rank++] = operand.stride[axis];
  }
  return left;
}

/// Plans the reduction of `from` over the marked axes. The output is contiguous, with or without the reduced axes.
inline Reduction plan_reduction(const PolluxOperand& from, const bool* is_reduced, bool may_split) {
  bool is_kept[POLLUX_MAX_RANK];
  for (int axis = 0; axis < from.rank; ++axis) is_kept[axis] = !is_reduced[axis];
  PolluxOperand kept = drop_axes(from, is_reduced), reduced = drop_axes(from, is_kept), to = kept;
  int64_t stride = 1;
  for (int axis = to.rank - 1; axis >= 0; stride *= to.shape[axis--]) to.stride[axis] = stride;

  Reduction r = {};
  const PolluxOperand* both[] = {&kept, &to};
  const PolluxOperand* one[] = {&reduced};
  r.kept = collapse(both, 2, 0);
  r.reduced = collapse(one, 1, 0);
  const int kept_inner = r.kept.rank - 1, reduced_inner = r.reduced.rank - 1;
  const int64_t row = r.kept.shape[kept_inner];
  r.columns = r.kept.stride[0][kept_inner] == 1 && row > 1 &&
              !(r.reduced.stride[0][reduced_inner] == 1 && r.reduced.shape[reduced_inner] > 1);
  r.width = r.columns ? min64(row, block_columns) : 1;
  r.units_a_row = r.columns ? ceil_div(row, block_columns) : 1;
  r.units = r.kept.count == 0 ? 0 : r.columns ? r.kept.count / row * r.units_a_row : r.kept.count;

  const int64_t length = r.reduced.count, grain = 32768;  // elements worth a chunk
  const bool split = may_split && r.units < 16 && length * r.width >= 2 * grain;
  r.unit_chunks = plan_chunks(r.units, split ? 1 : ceil_div(grain, max64(1, length * r.width)));
  const int64_t step = r.columns ? block_rows : block_length;
  r.length_chunks = split ? plan_chunks(length, round_up(ceil_div(grain, r.width), step), 32)
                          : plan_chunks(length, max64(1, length), 1);
  return r;
}

/// Marks the axes that the step's attribute names.
inline void read_axes(const PolluxStep& step, const char* name, bool* marked) {
  int64_t axes[POLLUX_MAX_RANK];
  const int count = numbers(step, name, axes, POLLUX_MAX_RANK);
  for (int i = 0; i < count; ++i) marked[axes[i]] = true;
}

/// Where a unit begins in the input and in the output, and how many outputs it has.
struct Unit {
  int64_t from, to, width;
};

inline Unit locate_unit(const Reduction& r, int64_t unit) {
  if (!r.columns) {
    const Walk walk = start_walk(r.kept, r.kept.rank, unit);
    return {walk.offset[0], walk.offset[1], 1};
  }
  const int inner = r.kept.rank - 1;
  const Walk walk = start_walk(r.kept, inner, unit / r.units_a_row);
  const int64_t column = unit % r.units_a_row * block_columns;
  return {walk.offset[0] + column, walk.offset[1] + column * r.kept.stride[1][inner],
          min64(block_columns, r.kept.shape[inner] - column)};
}

/// Elements [begin, begin + n) of a unit's reduced axes, side by side: in place where they are, else gathered in
/// `buffer`.
template <typename T>
inline const T* reduced_block(const Reduction& r, const T* unit, int64_t begin, int64_t n, T* buffer) {
  const Layout& l = r.reduced;
  const int64_t stride = l.stride[0][l.rank - 1];
  if (l.rank == 1 && stride == 1) return unit + begin;
  T* to = buffer;
  visit_rows(l, 0, begin, n, [&](int64_t offset, int64_t count) {
    copy_row(unit + offset, stride, to, 1, count);
    to += count;
  });
  return buffer;
}

}  // namespace
}  // namespace pollux
