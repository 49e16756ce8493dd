// How batch norm looks at x [..., C]: as a matrix of few wide rows, cut into chunks.
//
// With few channels, or a number of them that does not fill whole vectors, `group` consecutive rows are joined into one
// wide row, so that every vector is full: column j of a wide row belongs to channel j % C. Statistics are taken per
// wide column and folded to channels at the end. The last rows, too few for a wide row, make a shorter one.
#pragma once
#include "../kernel.h"
#include "../simd.h"

namespace pollux {
namespace {

constexpr int max_vectors = lanes == 16 ? 8 : 4;  // of columns whose sums stay in registers: a tile
constexpr int64_t part_rows = 16;                 // rows summed one after the other; longer sums are sums of such parts

struct WideView {
  int64_t rows, channels;
  int64_t group;      ///< rows joined into one
  int64_t columns;    ///< group * channels
  int64_t wide_rows;  ///< whole ones
  int64_t rest;       ///< rows left over
  Chunks chunks;      ///< of whole wide rows
};

inline int64_t greatest_common_divisor(int64_t a, int64_t b) {
  while (b) {
    const int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

inline WideView wide_view(int64_t rows, int64_t channels) {
  WideView view{};
  view.channels = channels;
  view.rows = rows;
  view.group = 1;
  if (view.channels > 0 && view.channels < 16 * lanes) {
    const int64_t filling = lanes / greatest_common_divisor(view.channels, lanes);
    const int64_t group = filling * ceil_div(8 * lanes, filling * view.channels);
    if (view.rows >= 16 * group) view.group = group;
  }
  view.columns = view.group * view.channels;
  view.wide_rows = view.rows / view.group;
  view.rest = view.rows % view.group;
  view.chunks = plan_chunks(view.wide_rows, ceil_div(1 << 15, max64(1, view.columns)));
  return view;
}

/// Chunks of whole wide rows, the shorter last one included: for passes that write every element.
inline Chunks all_rows(const WideView& view) {
  return plan_chunks(ceil_div(view.rows, view.group), ceil_div(1 << 15, max64(1, view.columns)));
}

template <int n>
struct Vectors {
  static constexpr int count = n;
};

/// Sums of the parts of a block.
template <int vectors>
struct Totals {
  Floats sum[vectors];
  Totals() {
    for (Floats& s : sum) s = zero();
  }
  void add(const Floats (&part)[vectors]) {
    for (int k = 0; k < vectors; ++k) sum[k] = sum[k] + part[k];
  }
  void store_to(float* to) const {
    for (int k = 0; k < vectors; ++k) store(to + k * lanes, sum[k]);
  }
};

/// A block of a tile: `rows` rows from `row` on, of the `width` columns from `column` on. The last of the tile's
/// vectors has `tail` lanes.
struct Block {
  int64_t row, rows, column, width;
  int tail;
};

/// Cuts rows [begin, end) into blocks of a few rows, small enough for the cache and for sums in float, and these into
/// tiles of columns; calls body(Vectors<n>, block) for each. Memory is met in order, block by block.
template <typename Body>
inline void for_each_block(const WideView& view, int64_t begin, int64_t end, const Body& body) {
  const int64_t block_rows = min64(128, max64(32, 4096 / max64(1, view.columns)));
  for (int64_t row = begin; row < end; row += block_rows) {
    for (int64_t column = 0; column < view.columns;) {
      const int64_t left = view.columns - column;
      const int vectors = left >= max_vectors * lanes ? max_vectors : left >= 4 * lanes ? 4 : left >= 2 * lanes ? 2 : 1;
      const int64_t width = min64(left, vectors * lanes);
      const Block block = {row, min64(block_rows, end - row), column, width,
                           static_cast<int>(width - (vectors - 1) * lanes)};
      switch (vectors) {
        case 8:
          body(Vectors<max_vectors>{}, block);
          break;
        case 4:
          body(Vectors<4>{}, block);
          break;
        case 2:
          body(Vectors<2>{}, block);
          break;
        default:
          body(Vectors<1>{}, block);
      }
      column += width;
    }
  }
}

/// Repeats the first `channels` numbers over a wide row.
inline void widen(const WideView& view, float* values) {
  for (int64_t j = view.channels; j < view.columns; ++j) values[j] = values[j - view.channels];
}

/// Calls body(first element, columns) for each wide row of a chunk of all_rows().
template <typename Body>
inline void for_each_wide_row(const WideView& view, const Chunks& chunks, int64_t chunk, const Body& body) {
  const int64_t elements = view.rows * view.channels;
  for (int64_t row = chunks.begin(chunk); row < chunks.end(chunk); ++row)
    body(row * view.columns, min64(view.columns, elements - row * view.columns));
}

}  // namespace
}  // namespace pollux
