// What forward convolution, its two gradients and the fused forms share: zero-bordered strips of an image, and the
// correlation of a strip with packed weights.
//
// In an NHWC image the taps of one window row are contiguous (window width x channels numbers) and the next output
// pixel lies `step_x` pixels on. So a strip with its zero border is already the matrix that im2col would write, seen
// through a View: nothing is copied but the strip, and that only where the border is needed.
#pragma once
#include "gemm_pack.h"
#include "gemm_slots.h"
#include "gemm_tile.h"

namespace pollux {
namespace {

struct Image {
  int64_t height, width, channels;
  int64_t size() const { return height * width * channels; }
};

// Output pixel (a, b) sees the window_y source rows from a * step_y - top on, each dilation_y below the one before, and
// columns likewise. `top` and `left` may be negative.
struct Window {
  int64_t window_y, window_x;
  int64_t step_y, step_x;
  int64_t top, left;
  int64_t dilation_y = 1, dilation_x = 1;

  int64_t reach_y() const { return (window_y - 1) * dilation_y + 1; }
  int64_t reach_x() const { return (window_x - 1) * dilation_x + 1; }
};

// Rows [top, bottom) and columns [left, right) of an image, of which parts may lie outside.
struct Region {
  int64_t top, bottom, left, right;
  int64_t pitch(const Image& image) const { return (right - left) * image.channels; }
  int64_t size(const Image& image) const { return (bottom - top) * pitch(image); }
};

// What outputs [begin, end) x [0, columns) see.
inline Region region_of(const Window& w, int64_t begin, int64_t end, int64_t columns) {
  return {begin * w.step_y - w.top, (end - 1) * w.step_y - w.top + w.reach_y(), -w.left,
          (columns - 1) * w.step_x - w.left + w.reach_x()};
}

inline Region join(const Region& a, const Region& b) {
  return {min64(a.top, b.top), max64(a.bottom, b.bottom), min64(a.left, b.left), max64(a.right, b.right)};
}

inline bool inside(const Region& r, const Image& image) {
  return r.top >= 0 && r.bottom <= image.height && r.left >= 0 && r.right <= image.width;
}

// A region in memory: pixel (y, x) of the source at data + (y - top) * pitch + (x - left) * channels.
struct Strip {
  const float* data;
  int64_t pitch;
  Region region;
  const float* at(const Image& image, int64_t y, int64_t x) const {
    return data + (y - region.top) * pitch + (x - region.left) * image.channels;
  }
};

inline void clear(float* to, int64_t count) {
  if (count > 0) memset(to, 0, static_cast<size_t>(count) * sizeof(float));
}

// The region itself if it lies inside the image, otherwise a copy in `buffer` with zeros for what lies outside.
inline Strip make_strip(const Image& image, const float* source, const Region& region, float* buffer) {
  if (inside(region, image)) {
    return {source + (region.top * image.width + region.left) * image.channels, image.width * image.channels, region};
  }
  const int64_t pitch = region.pitch(image);
  const int64_t left = min64(max64(region.left, 0), image.width), right = max64(left, min64(region.right, image.width));
  const int64_t before = min64(max64(0, -region.left), region.right - region.left) * image.channels;
  const int64_t within = (right - left) * image.channels;
  float* to = buffer;
  for (int64_t y = region.top; y < region.bottom; ++y, to += pitch) {
    if (y < 0 || y >= image.height || within == 0) {
      clear(to, pitch);
      continue;
    }
    clear(to, before);
    memcpy(to + before, source + (y * image.width + left) * image.channels,
           static_cast<size_t>(within) * sizeof(float));
    clear(to + before + within, pitch - before - within);
  }
  return {buffer, pitch, region};
}

// Weights in panels of [window_y][window_x][channels][kPanel] (the last one [kLanes] wide if that is enough).
inline int64_t packed_floats(int64_t steps, int64_t outputs) {
  return steps * round_up(outputs, kLanes);
}

inline void pack_forward(const RunContext& context, const float* w, int64_t outputs, int64_t steps, float* packed) {
  const Chunks chunks = plan_chunks(ceil_div(outputs, kPanel), 1 + 65536 / (steps * kPanel + 1));
  parallel(context, chunks.count, [&](int64_t chunk) {
    for (int64_t q = chunks.begin(chunk) * kPanel; q < min64(outputs, chunks.end(chunk) * kPanel); q += kPanel) {
      const int64_t here = min64(kPanel, outputs - q);
      pack_transposed(w + q * steps, steps, here, steps, packed + q * steps, here <= kLanes ? kLanes : kPanel);
    }
  });
}

// to(a, b, :) = bias + correlation at output rows [begin, end) and all columns; `to` points at row `begin`, its rows
// lie `row_stride` and its pixels `pixel_stride` apart.
inline void correlate(const Image& image, const Window& w, const Strip& strip, const float* packed, int64_t outputs,
                      int64_t begin, int64_t end, int64_t columns, float* to, int64_t row_stride, int64_t pixel_stride,
                      int flags, const float* bias) {
  const int64_t steps = w.window_y * w.window_x * image.channels;
  const int tile_rows = balanced_rows(columns);
  // Panels that fit in L2 together follow one another on a tile, so that pixels are read and written once.
  const int64_t group = max64(1, kMostBlock / max64(1, steps * kPanel)) * kPanel;
  for (int64_t first_output = 0; first_output < outputs; first_output += group) {
    const int64_t last_output = min64(outputs, first_output + group);
    for (int64_t a = begin; a < end; ++a) {
      // Window rows above and below the image add nothing.
      const int64_t y = a * w.step_y - w.top;
      const int64_t first = min64(max64(0, -y), w.window_y), last = max64(first, min64(w.window_y, image.height - y));
      for (int64_t b = 0; b < columns; b += tile_rows) {
        const View view{last > first ? strip.at(image, y + first, b * w.step_x - w.left) : strip.data,
                        w.step_x * image.channels, static_cast<int32_t>(w.window_x * image.channels),
                        static_cast<int32_t>(last - first), strip.pitch};
        for (int64_t q = first_output; q < last_output; q += kPanel) {
          const int64_t here = min64(kPanel, outputs - q), width = here <= kLanes ? kLanes : kPanel;
          run_tile(false, static_cast<int>(min64(tile_rows, columns - b)), here, view,
                   packed + q * steps + first * w.window_x * image.channels * width, width,
                   to + (a - begin) * row_stride + b * pixel_stride + q, pixel_stride, flags,
                   bias ? bias + q : nullptr);
        }
      }
    }
  }
}

// The same where taps do not lie side by side: a dilation spreads them, or their channels are those of one group, from
// `first_channel` on. `packed`, `outputs`, `to` and `bias` are the group's. Each row of the window adds to the rows
// before it.
inline void correlate_apart(const Image& image, const Window& w, int64_t first_channel, int64_t channels,
                            const Strip& strip, const float* packed, int64_t outputs, int64_t begin, int64_t end,
                            int64_t columns, float* to, int64_t row_stride, int64_t pixel_stride, int flags,
                            const float* bias) {
  const int64_t row_steps = w.window_x * channels, steps = w.window_y * row_steps;
  const int tile_rows = balanced_rows(columns);
  for (int64_t a = begin; a < end; ++a) {
    const int64_t y = a * w.step_y - w.top;
    const int64_t first = min64(ceil_div(max64(0, -y), w.dilation_y), w.window_y);
    const int64_t last = max64(first, min64(w.window_y, ceil_div(max64(0, image.height - y), w.dilation_y)));
    for (int64_t b = 0; b < columns; b += tile_rows) {
      const int rows = static_cast<int>(min64(tile_rows, columns - b));
      for (int64_t q = 0; q < outputs; q += kPanel) {
        const int64_t here = min64(kPanel, outputs - q), width = here <= kLanes ? kLanes : kPanel;
        float* pixel = to + (a - begin) * row_stride + b * pixel_stride + q;
        View view{strip.data, w.step_x * image.channels, static_cast<int32_t>(channels), 0,
                  w.dilation_x * image.channels};
        int64_t ky = first;
        do {
          const bool begins = ky == first, ends = ky + 1 >= last;
          if (ky < last) {
            view.data = strip.at(image, y + ky * w.dilation_y, b * w.step_x - w.left) + first_channel;
            view.segments = static_cast<int32_t>(w.window_x);
          }
          run_tile(false, rows, here, view, packed + q * steps + ky * row_steps * width, width, pixel, pixel_stride,
                   (begins ? 0 : kAccumulate) | (ends ? flags : 0), ends && bias ? bias + q : nullptr);
        } while (++ky < last);
      }
    }
  }
}

// Calls work(image, begin, end) for the pieces of global rows [begin, end) of images that have `rows` rows each, a
// piece being at most `height` rows of one image.
template <typename Work>
inline void for_each_strip(int64_t begin, int64_t end, int64_t rows, int64_t height, const Work& work) {
  while (begin < end) {
    const int64_t image = begin / rows, first = begin % rows;
    const int64_t last = min64(rows, min64(first + height, first + end - begin));
    work(image, first, last);
    begin += last - first;
  }
}

// Rows of all images cut into chunks by the work that a row is (floating-point operations).
inline Chunks plan_rows(int64_t rows, double work_per_row, int64_t most = 64) {
  return plan_chunks(rows, 1 + static_cast<int64_t>(2e6 / (work_per_row + 1)), most);
}

}  // namespace
}  // namespace pollux
