// softmax and logSoftmax over the last axis, and their gradients. A row is read from memory once; the further passes
// over it find it in the cache.
#include "softmax_row.h"

namespace pollux {
namespace {

struct RowParameters {
  int64_t columns;
  Chunks chunks;
};

/// y = exp(x - max) / sum exp(x - max). The maximum keeps the exponentials in range; a row of -inf gives NaN.
void softmax_row(const float* x, float* y, int64_t columns) {
  const Floats most = broadcast(row_maximum(x, columns));
  const Floats sum = broadcast(row_sum(columns, [=](int64_t i, int n) {
    const Floats e = exp(load_some(x + i, n) - most);
    store_some(y + i, e, n);
    return e;
  }));
  for_each_vector(columns, [=](int64_t i, int n) { store_some(y + i, load_some(y + i, n) / sum, n); });
}

/// y = (x - max) - log(sum exp(x - max)).
void log_softmax_row(const float* x, float* y, int64_t columns) {
  const Floats most = broadcast(row_maximum(x, columns));
  const float sum = row_sum(columns, [=](int64_t i, int n) { return exp(load_some(x + i, n) - most); });
  const Floats log_sum = broadcast(::logf(sum));
  for_each_vector(columns, [=](int64_t i, int n) { store_some(y + i, load_some(x + i, n) - most - log_sum, n); });
}

/// dx = y * (dy - sum(y * dy)).
void softmax_gradient_row(const float* dy, const float* y, float* dx, int64_t columns) {
  const Floats dot =
      broadcast(row_sum(columns, [=](int64_t i, int n) { return load_some(y + i, n) * load_some(dy + i, n); }));
  for_each_vector(columns,
                  [=](int64_t i, int n) { store_some(dx + i, load_some(y + i, n) * (load_some(dy + i, n) - dot), n); });
}

/// dx = dy - exp(y) * sum(dy).
void log_softmax_gradient_row(const float* dy, const float* y, float* dx, int64_t columns) {
  const Floats sum = broadcast(row_sum(columns, [=](int64_t i, int n) { return load_some(dy + i, n); }));
  for_each_vector(
      columns, [=](int64_t i, int n) { store_some(dx + i, load_some(dy + i, n) - exp(load_some(y + i, n)) * sum, n); });
}

template <void (*row)(const float*, float*, int64_t)>
void run_forward(const Prepared& prepared, const RunContext& context) {
  const auto& [columns, chunks] = parameters<RowParameters>(prepared);
  const float* x = input_data<float>(prepared, context, 0);
  float* y = output_data<float>(prepared, context, 0);
  parallel(context, chunks.count, [&, columns = columns, chunks = chunks](int64_t chunk) {
    for (int64_t r = chunks.begin(chunk); r < chunks.end(chunk); ++r) row(x + r * columns, y + r * columns, columns);
  });
}

template <void (*row)(const float*, const float*, float*, int64_t)>
void run_gradient(const Prepared& prepared, const RunContext& context) {
  const auto& [columns, chunks] = parameters<RowParameters>(prepared);
  const float* dy = input_data<float>(prepared, context, 0);
  const float* y = input_data<float>(prepared, context, 1);
  float* dx = output_data<float>(prepared, context, 0);
  parallel(context, chunks.count, [&, columns = columns, chunks = chunks](int64_t chunk) {
    for (int64_t r = chunks.begin(chunk); r < chunks.end(chunk); ++r)
      row(dy + r * columns, y + r * columns, dx + r * columns, columns);
  });
}

template <void (*run)(const Prepared&, const RunContext&)>
PolluxResult prepare_rows(const PolluxStep& step, Prepared* prepared) {
  auto* parameter = make_parameters<RowParameters>(prepared);
  if (!parameter) return POLLUX_OUT_OF_MEMORY;
  const PolluxOperand& x = input(step, 0);
  parameter->columns = x.rank ? x.shape[x.rank - 1] : 1;
  parameter->chunks = row_chunks(parameter->columns ? element_count(x) / parameter->columns : 0, parameter->columns);
  prepared->run = run;
  return POLLUX_SUCCESS;
}

constexpr uint32_t float32 = dtype_bit(POLLUX_FLOAT32);
const Kernel kernels[] = {
    {{"softmax", float32, 0, nullptr}, prepare_rows<run_forward<softmax_row>>},
    {{"logSoftmax", float32, 0, nullptr}, prepare_rows<run_forward<log_softmax_row>>},
    {{"softmaxGrad", float32, 0, nullptr}, prepare_rows<run_gradient<softmax_gradient_row>>},
    {{"logSoftmaxGrad", float32, 0, nullptr}, prepare_rows<run_gradient<log_softmax_gradient_row>>},
};

}  // namespace

namespace POLLUX_LEVEL {
extern const KernelTable softmax_kernels;
const KernelTable softmax_kernels = {kernels, sizeof kernels / sizeof kernels[0]};
}  // namespace POLLUX_LEVEL
}  // namespace pollux
