// maxPool2d remembers the place of each maximum in its window (row-major); maxPool2dGrad sends gradients back to these
// places, and maxPool2dGather, the gradient of that, picks values from them.
#include "pool.h"
#include "pool_bytes.h"

namespace pollux {
namespace {

/// The maximum over the places of a window inside the image, and the place of it: the first of equals, and, where
/// `with_nan`, the first NaN before any number. x points at the corner of the window.
template <bool with_nan>
inline void max_window(const PoolParameters& p, const float* x, Range rows, Range columns, int n, Floats* most,
                       Floats* place, Floats* sum) {
  const int64_t image_row = p.columns.size * p.channels;
  Floats best = broadcast(-INFINITY),
         where = broadcast(static_cast<float>(rows.begin * p.columns.window + columns.begin)), total = zero();
  for (int64_t i = rows.begin; i < rows.end; ++i)
    for (int64_t j = columns.begin; j < columns.end; ++j) {
      const Floats value = load_some(x + i * image_row + j * p.channels, n);
      const Mask wins = with_nan ? (value > best) | (is_nan(value) & (best == best)) : value > best;
      best = with_nan ? select(wins, value, best) : greater(value, best);
      where = select(wins, broadcast(static_cast<float>(i * p.columns.window + j)), where);
      total = total + value;
    }
  *most = best;
  *place = where;
  *sum = total;
}

/// One output pixel.
void max_pixel(const PoolParameters& p, const float* image, Range rows, Range columns, int64_t corner, float* y,
               uint8_t* index) {
  if (rows.empty() || columns.empty()) {  // all padding
    for (int64_t c = 0; c < p.channels; ++c) y[c] = -INFINITY;
    memset(index, 0, static_cast<size_t>(p.channels));
    return;
  }
  for_each_vector(p.channels, [=](int64_t c, int n) {
    Floats most, place, sum;
    max_window<false>(p, image + corner + c, rows, columns, n, &most, &place, &sum);
    // A NaN in the window shows in the sum, and is rare: only then the comparisons look for it.
    if (any(is_nan(sum))) max_window<true>(p, image + corner + c, rows, columns, n, &most, &place, &sum);
    store_some(y + c, most, n);
    store_bytes(index + c, place, n);
  });
}

void run_max(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<PoolParameters>(prepared);
  const float* x = input_data<float>(prepared, context, 0);
  float* y = output_data<float>(prepared, context, 0);
  uint8_t* index = output_data<uint8_t>(prepared, context, 1);
  parallel(context, p.chunks.count, [&](int64_t chunk) {
    for_each_pool_row(p, p.rows.pooled, chunk, [&](int64_t image, int64_t pooled, int64_t row) {
      const Range rows = p.rows.places(row);
      for (int64_t column = 0; column < p.columns.pooled; ++column) {
        const int64_t corner = (p.rows.corner(row) * p.columns.size + p.columns.corner(column)) * p.channels;
        const int64_t at = pooled + (row * p.columns.pooled + column) * p.channels;
        max_pixel(p, x + image, rows, p.columns.places(column), corner, y + at, index + at);
      }
    });
  });
}

/// y = x at the remembered place of each window; 0 where that lies in the padding.
void run_gather(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<PoolParameters>(prepared);
  const float* x = input_data<float>(prepared, context, 0);
  const uint8_t* index = input_data<uint8_t>(prepared, context, 1);
  float* y = output_data<float>(prepared, context, 0);
  const int64_t image_row = p.columns.size * p.channels;
  parallel(context, p.chunks.count, [&](int64_t chunk) {
    for_each_pool_row(p, p.rows.pooled, chunk, [&](int64_t image, int64_t pooled, int64_t row) {
      const Range rows = p.rows.places(row);
      for (int64_t column = 0; column < p.columns.pooled; ++column) {
        const Range columns = p.columns.places(column);
        const int64_t corner = image + (p.rows.corner(row) * p.columns.size + p.columns.corner(column)) * p.channels;
        const int64_t at = pooled + (row * p.columns.pooled + column) * p.channels;
        for_each_vector(p.channels, [=](int64_t c, int n) {
          const Ints place = load_bytes(index + at + c, n);
          Floats picked = zero();
          for (int64_t i = rows.begin; i < rows.end; ++i)
            for (int64_t j = columns.begin; j < columns.end; ++j) {
              const Mask here = place == broadcast_int(static_cast<int32_t>(i * p.columns.window + j));
              picked = select(here, load_some(x + corner + i * image_row + j * p.channels + c, n), picked);
            }
          store_some(y + at + c, picked, n);
        });
      }
    });
  });
}

/// One row of dx where each place of the image lies in one window at most: every output goes to its window's places.
void gradient_row_apart(const PoolParameters& p, const float* dy, const uint8_t* index, int64_t row, float* dx) {
  const Range rows = p.rows.outputs(row);
  for_each_apart(p, rows, dx, [&](int64_t j, Range inside, float* to) {
    const int64_t from = (rows.begin * p.columns.pooled + j) * p.channels;
    const int64_t first_place = (row - p.rows.corner(rows.begin)) * p.columns.window;
    for_each_vector(p.channels, [=](int64_t c, int n) {
      const Ints place = load_bytes(index + from + c, n);
      const Floats g = load_some(dy + from + c, n);
      for (int64_t k = inside.begin; k < inside.end; ++k) {
        const Mask here = place == broadcast_int(static_cast<int32_t>(first_place + k));
        store_some(to + k * p.channels + c, select(here, g, zero()), n);
      }
    });
  });
}

/// One row of dx, each element the sum over the windows that contain it.
void gradient_row_overlapping(const PoolParameters& p, const float* dy, const uint8_t* index, int64_t row, float* dx) {
  const Range rows = p.rows.outputs(row);
  for (int64_t column = 0; column < p.columns.size; ++column) {
    const Range columns = p.columns.outputs(column);
    for_each_vector(p.channels, [=](int64_t c, int n) {
      Floats sum = zero();
      for (int64_t i = rows.begin; i < rows.end; ++i)
        for (int64_t j = columns.begin; j < columns.end; ++j) {
          const int64_t at = (i * p.columns.pooled + j) * p.channels + c;
          const int64_t place = (row - p.rows.corner(i)) * p.columns.window + column - p.columns.corner(j);
          const Mask here = load_bytes(index + at, n) == broadcast_int(static_cast<int32_t>(place));
          sum = sum + select(here, load_some(dy + at, n), zero());
        }
      store_some(dx + column * p.channels + c, sum, n);
    });
  }
}

void run_gradient(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<PoolParameters>(prepared);
  const float* dy = input_data<float>(prepared, context, 0);
  const uint8_t* index = input_data<uint8_t>(prepared, context, 1);
  float* dx = output_data<float>(prepared, context, 0);
  const auto gradient_row = p.apart() ? gradient_row_apart : gradient_row_overlapping;
  parallel(context, p.chunks.count, [&](int64_t chunk) {
    for_each_pool_row(p, p.rows.size, chunk, [&](int64_t image, int64_t pooled, int64_t row) {
      gradient_row(p, dy + pooled, index + pooled, row, dx + image + row * p.columns.size * p.channels);
    });
  });
}

PolluxResult prepare_max(const PolluxStep& step, Prepared* prepared) {
  prepared->run = run_max;
  return prepare_pool(step, input(step, 0), output(step, 0), output(step, 0), prepared);
}

PolluxResult prepare_gather(const PolluxStep& step, Prepared* prepared) {
  prepared->run = run_gather;
  return prepare_pool(step, input(step, 0), output(step, 0), output(step, 0), prepared);
}

PolluxResult prepare_gradient(const PolluxStep& step, Prepared* prepared) {
  prepared->run = run_gradient;
  return prepare_pool(step, output(step, 0), input(step, 0), output(step, 0), prepared);
}

constexpr uint32_t float32 = dtype_bit(POLLUX_FLOAT32);
const Kernel kernels[] = {{{"maxPool2d", float32, 0, nullptr}, prepare_max},
                          {{"maxPool2dGrad", float32, 0, nullptr}, prepare_gradient},
                          {{"maxPool2dGather", float32, 0, nullptr}, prepare_gather}};

}  // namespace

namespace POLLUX_LEVEL {
extern const KernelTable pool_max_kernels;
const KernelTable pool_max_kernels = {kernels, sizeof kernels / sizeof kernels[0]};
}  // namespace POLLUX_LEVEL
}  // namespace pollux
