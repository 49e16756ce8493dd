// What gather, scatter and their kin share: the axis that is indexed, and indices checked against it.
#pragma once
#include "layout.h"

namespace pollux {
namespace {

/// x seen as [outer, axis, inner]; the indices as [count] (gather, scatterAdd) or [outer, count, inner] (the "along"
/// twins).
struct Indexing {
  int64_t outer, axis, inner;
  int64_t count;
  int64_t bytes;  // of one element
  Chunks chunks;  // of the outer * count slices that are read
  bool from_end;  // whether negative indices count from the end
};

inline Indexing plan_indexing(const PolluxStep& step, bool along) {
  const PolluxOperand& x = input(step, 0);
  const PolluxOperand& indices = input(step, 1);
  const int axis = static_cast<int>(integer(step, "axis"));
  Indexing p = {};
  p.outer = extent(x, 0, axis);
  p.axis = x.shape[axis];
  p.inner = extent(x, axis + 1, x.rank);
  p.from_end = true;
  p.count = along ? indices.shape[axis] : element_count(indices);
  p.bytes = byte_size(x.dtype);
  const int64_t slices = p.inner == 0 ? 0 : p.outer * p.count;
  p.chunks = plan_chunks(slices, ceil_div(16384, max64(1, p.inner)));
  return p;
}

/// The place that an index names: counted from the end if negative, where that is allowed. Out of range it is reported,
/// and 0 stands in.
template <typename Index>
inline int64_t checked_index(const Prepared& prepared, const RunContext& context, const Indexing& p, Index index,
                             int64_t element) {
  const int64_t place = index < 0 && p.from_end ? index + p.axis : index;
  if (place >= 0 && place < p.axis) return place;
  report(prepared, context, POLLUX_INDEX_OUT_OF_RANGE, element, index);
  return 0;
}

}  // namespace
}  // namespace pollux
