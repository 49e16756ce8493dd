// maxPool2d remembers the place of each maximum in its window (row-major); maxPool2dGrad sends gradients back to these
// places, and maxPool2dGather, the gradient of that, picks values from them.
#include "pool.h"
#include "pool_bytes.h"

namespace pollux {
namespace {

/// One output pixel: the maximum over the window, the first of equals, and the first NaN before any number.
void max_pixel(const PoolParameters& p, const float* image, Range rows, Range columns, int64_t corner, float* y, uint8_t* index) {
  const int64_t channels = p.channels, image_row = p.columns.size * channels;
  if (rows.empty() || columns.empty()) {  // all padding
    for (int64_t c = 0; c < channels; ++c) y[c] = -INFINITY;
    memset(index, 0, static_cast<size_t>(channels));
    return;
  }
  for_each_vector(channels, [&](int64_t c, int n) {
    const float* x = image + corner + c;
    Floats best = load_some(x + rows.begin * image_row + columns.begin * channels, n);
    Floats place = broadcast(static_cast<float>(rows.begin * p.columns.window + columns.begin));
    for (int64_t i = rows.begin; i < rows.end; ++i)
      for (int64_t j = columns.begin; j < columns.end; ++j) {
        const Floats value = load_some(x + i * image_row + j * channels, n);
        const Mask wins = (value > best) | (is_nan(value) & (best == best));
        best = select(wins, value, best);
        place = select(wins, broadcast(static_cast<float>(i * p.columns.window + j)), place);
      }
    store_some(y + c, best, n);
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
        for_each_vector(p.channels, [&](int64_t c, int n) {
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

void run_gradient(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<PoolParameters>(prepared);
  const float* dy = input_data<float>(prepared, context, 0);
  const uint8_t* index = input_data<uint8_t>(prepared, context, 1);
  float* dx = output_data<float>(prepared, context, 0);
  parallel(context, p.chunks.count, [&](int64_t chunk) {
    for_each_pool_row(p, p.rows.size, chunk, [&](int64_t image, int64_t pooled, int64_t row) {
      const Range rows = p.rows.outputs(row);
      for (int64_t column = 0; column < p.columns.size; ++column) {
        const Range columns = p.columns.outputs(column);
        for_each_vector(p.channels, [&](int64_t c, int n) {
          Floats sum = zero();
          for (int64_t i = rows.begin; i < rows.end; ++i)
            for (int64_t j = columns.begin; j < columns.end; ++j) {
              const int64_t at = pooled + (i * p.columns.pooled + j) * p.channels + c;
              const int64_t place = (row - p.rows.corner(i)) * p.columns.window + column - p.columns.corner(j);
              const Mask here = load_bytes(index + at, n) == broadcast_int(static_cast<int32_t>(place));
              sum = sum + select(here, load_some(dy + at, n), zero());
            }
          store_some(dx + image + (row * p.columns.size + column) * p.channels + c, sum, n);
        });
      }
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
