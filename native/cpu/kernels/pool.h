// The geometry of pooling over [N, H, W, C], shared by maximum and average.
//
// Output (oh, ow) looks at the window of the image whose corner is (oh * stride - top, ow * stride - left); only places
// inside the image count. Vectors run over the channels. Gradients gather: each element of the image sums, in row-major
// order of the outputs, what the windows that contain it send back, so no two threads write to one place.
#pragma once
#include "../kernel.h"
#include "../simd.h"

namespace pollux {
namespace {

struct Range {
  int64_t begin, end;
  bool empty() const { return begin >= end; }
  int64_t size() const { return end - begin; }
};

/// One axis of the image.
struct PoolAxis {
  int64_t size, pooled;  ///< of the image, of the output
  int64_t window, stride, padding;

  /// Where in the image the window of an output begins; negative in the padding.
  int64_t corner(int64_t output) const { return output * stride - padding; }
  /// The places of the window of an output that lie inside the image.
  Range places(int64_t output) const { return {max64(0, -corner(output)), min64(window, size - corner(output))}; }
  /// The outputs whose windows contain this place of the image.
  Range outputs(int64_t place) const {
    const int64_t reach = place + padding, before = reach - window + 1;
    return {before <= 0 ? 0 : ceil_div(before, stride), min64(pooled, reach / stride + 1)};
  }
};

struct PoolParameters {
  int64_t channels;
  PoolAxis rows, columns;
  Chunks chunks;  ///< of the rows of all images that the kernel writes
  bool count_padding;

  /// True if no two windows overlap.
  bool apart() const { return rows.stride >= rows.window && columns.stride >= columns.window; }
};

/// Rows of all images handed to a thread at once.
inline Chunks pool_chunks(const PolluxOperand& written) {
  return plan_chunks(written.shape[0] * written.shape[1],
                     ceil_div(1 << 14, max64(1, written.shape[2] * written.shape[3])), 256);
}

inline PolluxResult prepare_pool(const PolluxStep& step, const PolluxOperand& image, const PolluxOperand& pooled,
                                 const PolluxOperand& written, Prepared* prepared) {
  auto* parameter = make_parameters<PoolParameters>(prepared);
  if (!parameter) return POLLUX_OUT_OF_MEMORY;
  int64_t window[2] = {1, 1}, stride[2] = {1, 1}, padding[4] = {};
  numbers(step, "window", window, 2);
  numbers(step, "stride", stride, 2);
  numbers(step, "padding", padding, 4);
  parameter->channels = image.shape[3];
  parameter->rows = {image.shape[1], pooled.shape[1], window[0], stride[0], padding[0]};
  parameter->columns = {image.shape[2], pooled.shape[2], window[1], stride[1], padding[2]};
  parameter->chunks = pool_chunks(written);
  parameter->count_padding = boolean(step, "countPadding");
  return POLLUX_SUCCESS;
}

/// Calls body(first element of the image, first of its output, row) for each row of a chunk; rows count over all
/// images, `rows_per_image` being those of the side that is written.
template <typename Body>
inline void for_each_pool_row(const PoolParameters& p, int64_t rows_per_image, int64_t chunk, const Body& body) {
  const int64_t image_size = p.rows.size * p.columns.size * p.channels,
                pooled_size = p.rows.pooled * p.columns.pooled * p.channels;
  for (int64_t row = p.chunks.begin(chunk); row < p.chunks.end(chunk); ++row) {
    const int64_t image = row / rows_per_image;
    body(image * image_size, image * pooled_size, row % rows_per_image);
  }
}

/// Writes one row of the image's gradient where windows lie apart: calls body(output column, places inside the image,
/// corner of the window in the row) for each window that the row meets, and writes zeros between them. `rows` is the
/// output row that the row belongs to, if any. The corner may lie outside the row, the places do not.
template <typename Body>
inline void for_each_apart(const PoolParameters& p, Range rows, float* row, const Body& body) {
  const auto clear = [&](int64_t begin, int64_t end) {
    if (begin < end)
      memset(row + begin * p.channels, 0, static_cast<size_t>((end - begin) * p.channels) * sizeof(float));
  };
  int64_t done = 0;
  for (int64_t j = 0; j < p.columns.pooled && !rows.empty(); ++j) {
    const Range inside = p.columns.places(j);
    if (inside.empty()) continue;
    const int64_t corner = p.columns.corner(j);
    clear(done, corner + inside.begin);
    body(j, inside, row + corner * p.channels);
    done = corner + inside.end;
  }
  clear(done, p.columns.size);
}

}  // namespace
}  // namespace pollux
