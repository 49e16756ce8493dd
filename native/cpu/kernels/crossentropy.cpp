// Cross-entropy of logits against class labels, and its gradient. The logits are read from memory once each way.
#include "softmax_row.h"

namespace pollux {
namespace {

struct CrossEntropyParameters {
  int64_t classes;
  Chunks chunks;  // of rows
  int32_t label_dtype;
};

inline int64_t read_label(const void* labels, int32_t dtype, int64_t row) {
  switch (dtype) {
    case POLLUX_INT32:
      return static_cast<const int32_t*>(labels)[row];
    case POLLUX_INT64:
      return static_cast<const int64_t*>(labels)[row];
    default:
      return static_cast<const uint8_t*>(labels)[row];
  }
}

/// The label of a row; -1, and the status word set, where it lies outside the classes.
inline int64_t checked_label(const Prepared& prepared, const RunContext& context, const void* labels, int64_t row) {
  const auto& parameter = parameters<CrossEntropyParameters>(prepared);
  const int64_t label = read_label(labels, parameter.label_dtype, row);
  if (label >= 0 && label < parameter.classes) return label;
  report(prepared, context, POLLUX_LABEL_OUT_OF_RANGE, row, label);
  return -1;
}

/// loss = logSumExp - logits[label], computed as log(sum exp(logits - max)) - (logits[label] - max): the difference
/// stays exact where the logits are large.
void run_cross_entropy(const Prepared& prepared, const RunContext& context) {
  const auto& parameter = parameters<CrossEntropyParameters>(prepared);
  const int64_t classes = parameter.classes;
  const float* logits = input_data<float>(prepared, context, 0);
  const void* labels = input_data<void>(prepared, context, 1);
  float* loss = output_data<float>(prepared, context, 0);
  float* log_sum_exp = output_data<float>(prepared, context, 1);
  parallel(context, parameter.chunks.count, [&](int64_t chunk) {
    for (int64_t row = parameter.chunks.begin(chunk); row < parameter.chunks.end(chunk); ++row) {
      const float* x = logits + row * classes;
      const float most = row_maximum(x, classes);
      const Floats shift = broadcast(most);
      const float log_sum =
          ::logf(row_sum(classes, [=](int64_t i, int n) { return exp(load_some(x + i, n) - shift); }));
      const int64_t label = checked_label(prepared, context, labels, row);
      loss[row] = label < 0 ? 0 : log_sum - (x[label] - most);
      log_sum_exp[row] = most + log_sum;
    }
  });
}

/// dlogits = (softmax(logits) - onehot(label)) * dloss; zero for a row whose label lies outside the classes.
void run_gradient(const Prepared& prepared, const RunContext& context) {
  const auto& parameter = parameters<CrossEntropyParameters>(prepared);
  const int64_t classes = parameter.classes;
  const float* dloss = input_data<float>(prepared, context, 0);
  const float* logits = input_data<float>(prepared, context, 1);
  const void* labels = input_data<void>(prepared, context, 2);
  const float* log_sum_exp = input_data<float>(prepared, context, 3);
  float* dlogits = output_data<float>(prepared, context, 0);
  parallel(context, parameter.chunks.count, [&](int64_t chunk) {
    for (int64_t row = parameter.chunks.begin(chunk); row < parameter.chunks.end(chunk); ++row) {
      const float* x = logits + row * classes;
      float* dx = dlogits + row * classes;
      const int64_t label = checked_label(prepared, context, labels, row);
      if (label < 0) {
        memset(dx, 0, static_cast<size_t>(classes) * sizeof(float));
        continue;
      }
      const float of_label = ::expm1f(x[label] - log_sum_exp[row]);  // read before dx, which may lie over the logits
      const Floats shift = broadcast(log_sum_exp[row]), factor = broadcast(dloss[row]);
      for_each_vector(classes,
                      [=](int64_t i, int n) { store_some(dx + i, exp(load_some(x + i, n) - shift) * factor, n); });
      dx[label] = of_label * dloss[row];
    }
  });
}

template <int logits_index, void (*run)(const Prepared&, const RunContext&)>
PolluxResult prepare_rows(const PolluxStep& step, Prepared* prepared) {
  auto* parameter = make_parameters<CrossEntropyParameters>(prepared);
  if (!parameter) return POLLUX_OUT_OF_MEMORY;
  const PolluxOperand& logits = input(step, logits_index);
  parameter->classes = logits.shape[1];
  parameter->chunks = row_chunks(logits.shape[0], parameter->classes);
  parameter->label_dtype = input(step, logits_index + 1).dtype;
  prepared->run = run;
  return POLLUX_SUCCESS;
}

constexpr uint32_t float32 = dtype_bit(POLLUX_FLOAT32);
const Kernel kernels[] = {{{"crossEntropy", float32, 0, nullptr}, prepare_rows<0, run_cross_entropy>},
                          {{"crossEntropyGrad", float32, 0, nullptr}, prepare_rows<1, run_gradient>}};

}  // namespace

namespace POLLUX_LEVEL {
extern const KernelTable crossentropy_kernels;
const KernelTable crossentropy_kernels = {kernels, sizeof kernels / sizeof kernels[0]};
}  // namespace POLLUX_LEVEL
}  // namespace pollux
