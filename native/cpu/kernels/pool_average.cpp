// avgPool2d and its gradient. The divisor is the size of the window or, with countPadding false, the number of its
// places inside the image.
#include "pool.h"

namespace pollux {
namespace {

/// What the sum over a window is divided by.
inline float divisor(const PoolParameters& p, int64_t row, int64_t column) {
  const int64_t places =
      p.count_padding ? p.rows.window * p.columns.window : p.rows.places(row).size() * p.columns.places(column).size();
  return static_cast<float>(places);
}

void run_average(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<PoolParameters>(prepared);
  const float* x = input_data<float>(prepared, context, 0);
  float* y = output_data<float>(prepared, context, 0);
  const int64_t image_row = p.columns.size * p.channels;
  parallel(context, p.chunks.count, [&](int64_t chunk) {
    for_each_pool_row(p, p.rows.pooled, chunk, [&](int64_t image, int64_t pooled, int64_t row) {
      const Range rows = p.rows.places(row);
      for (int64_t column = 0; column < p.columns.pooled; ++column) {
        const Range columns = p.columns.places(column);
        float* to = y + pooled + (row * p.columns.pooled + column) * p.channels;
        if (rows.empty() || columns.empty()) {  // all padding
          memset(to, 0, static_cast<size_t>(p.channels) * sizeof(float));
          continue;
        }
        const int64_t corner = image + (p.rows.corner(row) * p.columns.size + p.columns.corner(column)) * p.channels;
        const Floats count = broadcast(divisor(p, row, column));
        for_each_vector(p.channels, [=](int64_t c, int n) {
          // Rows are summed apart and then together: errors grow with the sides of the window, not with its area.
          Floats sum = zero();
          for (int64_t i = rows.begin; i < rows.end; ++i) {
            Floats row_sum = zero();
            for (int64_t j = columns.begin; j < columns.end; ++j)
              row_sum = row_sum + load_some(x + corner + i * image_row + j * p.channels + c, n);
            sum = sum + row_sum;
          }
          store_some(to + c, sum / count, n);
        });
      }
    });
  });
}

/// One row of dx where each place of the image lies in one window at most.
void gradient_row_apart(const PoolParameters& p, const float* dy, int64_t row, float* dx) {
  const Range rows = p.rows.outputs(row);
  for_each_apart(p, rows, dx, [&](int64_t j, Range inside, float* to) {
    const float* from = dy + (rows.begin * p.columns.pooled + j) * p.channels;
    const Floats count = broadcast(divisor(p, rows.begin, j));
    for_each_vector(p.channels, [=](int64_t c, int n) {
      const Floats share = load_some(from + c, n) / count;
      for (int64_t k = inside.begin; k < inside.end; ++k) store_some(to + k * p.channels + c, share, n);
    });
  });
}

/// One row of dx, each element the sum over the windows that contain it.
void gradient_row_overlapping(const PoolParameters& p, const float* dy, int64_t row, float* dx) {
  const Range rows = p.rows.outputs(row);
  for (int64_t column = 0; column < p.columns.size; ++column) {
    const Range columns = p.columns.outputs(column);
    for_each_vector(p.channels, [=](int64_t c, int n) {
      Floats sum = zero();
      for (int64_t i = rows.begin; i < rows.end; ++i)
        for (int64_t j = columns.begin; j < columns.end; ++j)
          sum = sum + load_some(dy + (i * p.columns.pooled + j) * p.channels + c, n) / broadcast(divisor(p, i, j));
      store_some(dx + column * p.channels + c, sum, n);
    });
  }
}

void run_gradient(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<PoolParameters>(prepared);
  const float* dy = input_data<float>(prepared, context, 0);
  float* dx = output_data<float>(prepared, context, 0);
  const auto gradient_row = p.apart() ? gradient_row_apart : gradient_row_overlapping;
  parallel(context, p.chunks.count, [&](int64_t chunk) {
    for_each_pool_row(p, p.rows.size, chunk, [&](int64_t image, int64_t pooled, int64_t row) {
      gradient_row(p, dy + pooled, row, dx + image + row * p.columns.size * p.channels);
    });
  });
}

PolluxResult prepare_average(const PolluxStep& step, Prepared* prepared) {
  prepared->run = run_average;
  return prepare_pool(step, input(step, 0), output(step, 0), output(step, 0), prepared);
}

PolluxResult prepare_gradient(const PolluxStep& step, Prepared* prepared) {
  prepared->run = run_gradient;
  return prepare_pool(step, output(step, 0), input(step, 0), output(step, 0), prepared);
}

constexpr uint32_t float32 = dtype_bit(POLLUX_FLOAT32);
const Kernel kernels[] = {{{"avgPool2d", float32, 0, nullptr}, prepare_average},
                          {{"avgPool2dGrad", float32, 0, nullptr}, prepare_gradient}};

}  // namespace

namespace POLLUX_LEVEL {
extern const KernelTable pool_average_kernels;
const KernelTable pool_average_kernels = {kernels, sizeof kernels / sizeof kernels[0]};
}  // namespace POLLUX_LEVEL
}  // namespace pollux
