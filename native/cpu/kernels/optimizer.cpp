// Parameter updates in one pass over memory: SGD (with momentum and Nesterov's form), Adam and AdamW, by PyTorch's
// rules.
//
// The learning rate, the step and the gradient's scale are read on the device at run time, so that a plan is never
// rebuilt for them. Outputs may be the inputs (the normal case) or other memory; elements are read before they are
// written.
#include "../kernel.h"
#include "../simd.h"

namespace pollux {
namespace {

constexpr int64_t update_grain = 1 << 15;  // parameters: about 20 microseconds of memory traffic
constexpr int64_t most_update_chunks = 512;

enum class Decay { none, l2, decoupled };

// ---- SGD ---------------------------------------------------------------------------------------------------------

struct SgdParameters {
  Chunks chunks;
  double momentum, dampening, weight_decay;
  bool nesterov;
};

/// The numbers of one run, every lane the same.
struct SgdFactors {
  Floats learning_rate, scale, weight_decay, momentum, undamped;
  bool decays, nesterov;
};

enum class Momentum { none, first, later };

/// p -= learningRate * d, where d is the gradient or the (Nesterov) momentum. The buffer starts as the first gradient.
template <Momentum momentum>
inline void sgd_element(const SgdFactors& f, Floats& p, Floats g, Floats& buffer) {
  g = g * f.scale;
  if (f.decays) g = g + f.weight_decay * p;
  if constexpr (momentum == Momentum::first) buffer = g;
  if constexpr (momentum == Momentum::later) buffer = f.momentum * buffer + f.undamped * g;
  if constexpr (momentum != Momentum::none) g = f.nesterov ? g + f.momentum * buffer : buffer;
  p = p - f.learning_rate * g;
}

template <Momentum momentum>
void sgd_range(const SgdFactors& f, int64_t begin, int64_t end, const float* p, const float* g, const float* buffer,
               float* new_p, float* new_buffer) {
  constexpr bool reads = momentum == Momentum::later, writes = momentum != Momentum::none;
  int64_t i = begin;
  for (; i + lanes <= end; i += lanes) {
    Floats weight = load(p + i), state = zero();
    if constexpr (reads) state = load(buffer + i);
    sgd_element<momentum>(f, weight, load(g + i), state);
    store(new_p + i, weight);
    if constexpr (writes) store(new_buffer + i, state);
  }
  if (i < end) {
    const int rest = static_cast<int>(end - i);
    Floats weight = load_tail(p + i, rest), state = zero();
    if constexpr (reads) state = load_tail(buffer + i, rest);
    sgd_element<momentum>(f, weight, load_tail(g + i, rest), state);
    store_tail(new_p + i, weight, rest);
    if constexpr (writes) store_tail(new_buffer + i, state, rest);
  }
}

void run_sgd(const Prepared& prepared, const RunContext& context) {
  const auto& parameter = parameters<SgdParameters>(prepared);
  const float* p = input_data<float>(prepared, context, 0);
  const float* g = input_data<float>(prepared, context, 1);
  const float* buffer = input_data<float>(prepared, context, 2);
  const float learning_rate = *input_data<float>(prepared, context, 3);
  const bool first = *input_data<float>(prepared, context, 4) <= 1;
  const float scale = *input_data<float>(prepared, context, 5);
  float* new_p = output_data<float>(prepared, context, 0);
  float* new_buffer = output_data<float>(prepared, context, 1);
  const SgdFactors factors = {broadcast(learning_rate),
                              broadcast(scale),
                              broadcast(static_cast<float>(parameter.weight_decay)),
                              broadcast(static_cast<float>(parameter.momentum)),
                              broadcast(static_cast<float>(1 - parameter.dampening)),
                              parameter.weight_decay != 0,
                              parameter.nesterov};
  const auto range = parameter.momentum == 0 ? sgd_range<Momentum::none>
                     : first                 ? sgd_range<Momentum::first>
                                             : sgd_range<Momentum::later>;
  parallel(context, parameter.chunks.count, [&](int64_t chunk) {
    range(factors, parameter.chunks.begin(chunk), parameter.chunks.end(chunk), p, g, buffer, new_p, new_buffer);
  });
}

PolluxResult prepare_sgd(const PolluxStep& step, Prepared* prepared) {
  auto* parameter = make_parameters<SgdParameters>(prepared);
  if (!parameter) return POLLUX_OUT_OF_MEMORY;
  parameter->chunks = plan_chunks(element_count(input(step, 0)), update_grain, most_update_chunks);
  parameter->momentum = number(step, "momentum");
  parameter->dampening = number(step, "dampening");
  parameter->weight_decay = number(step, "weightDecay");
  parameter->nesterov = boolean(step, "nesterov");
  prepared->run = run_sgd;
  return POLLUX_SUCCESS;
}

// ---- Adam --------------------------------------------------------------------------------------------------------

struct AdamParameters {
  Chunks chunks;
  double beta1, beta2, epsilon, weight_decay;
  Decay decay;
};

/// The numbers of one run, every lane the same.
struct AdamFactors {
  Floats scale, beta1, rest1, beta2, rest2, epsilon;
  Floats decay;          ///< l2: weightDecay; decoupled: 1 - learningRate * weightDecay
  Floats step_size;      ///< learningRate / (1 - beta1^step)
  Floats inverse_bias2;  ///< 1 / sqrt(1 - beta2^step)
};

/// Adam (Kingma and Ba 2015), AdamW (Loshchilov and Hutter 2019):
/// p -= learningRate * (m / bias1) / (sqrt(v) / sqrt(bias2) + epsilon).
template <Decay decay>
inline void adam_element(const AdamFactors& f, Floats& p, Floats g, Floats& m, Floats& v) {
  g = g * f.scale;
  if constexpr (decay == Decay::l2) g = g + f.decay * p;
  if constexpr (decay == Decay::decoupled) p = p * f.decay;
  m = f.beta1 * m + f.rest1 * g;
  v = f.beta2 * v + f.rest2 * (g * g);
  p = p - f.step_size * (m / (sqrt(v) * f.inverse_bias2 + f.epsilon));
}

template <Decay decay>
void adam_range(const AdamFactors& f, int64_t begin, int64_t end, const float* p, const float* g, const float* m,
                const float* v, float* new_p, float* new_m, float* new_v) {
  // No prefetch and no streaming stores: the plain loop runs at the speed of a loop that only moves the bytes.
  int64_t i = begin;
  for (; i + lanes <= end; i += lanes) {
    Floats weight = load(p + i), first = load(m + i), second = load(v + i);
    adam_element<decay>(f, weight, load(g + i), first, second);
    store(new_p + i, weight);
    store(new_m + i, first);
    store(new_v + i, second);
  }
  if (i < end) {
    const int rest = static_cast<int>(end - i);
    Floats weight = load_tail(p + i, rest), first = load_tail(m + i, rest), second = load_tail(v + i, rest);
    adam_element<decay>(f, weight, load_tail(g + i, rest), first, second);
    store_tail(new_p + i, weight, rest);
    store_tail(new_m + i, first, rest);
    store_tail(new_v + i, second, rest);
  }
}

void run_adam(const Prepared& prepared, const RunContext& context) {
  const auto& parameter = parameters<AdamParameters>(prepared);
  const float* p = input_data<float>(prepared, context, 0);
  const float* g = input_data<float>(prepared, context, 1);
  const float* m = input_data<float>(prepared, context, 2);
  const float* v = input_data<float>(prepared, context, 3);
  const double learning_rate = *input_data<float>(prepared, context, 4);
  const double step = *input_data<float>(prepared, context, 5);
  const float scale = *input_data<float>(prepared, context, 6);
  float* new_p = output_data<float>(prepared, context, 0);
  float* new_m = output_data<float>(prepared, context, 1);
  float* new_v = output_data<float>(prepared, context, 2);

  const auto lane = [](double x) { return broadcast(static_cast<float>(x)); };
  const double decay =
      parameter.decay == Decay::decoupled ? 1 - learning_rate * parameter.weight_decay : parameter.weight_decay;
  const AdamFactors factors = {broadcast(scale),
                               lane(parameter.beta1),
                               lane(1 - parameter.beta1),
                               lane(parameter.beta2),
                               lane(1 - parameter.beta2),
                               lane(parameter.epsilon),
                               lane(decay),
                               lane(learning_rate / (1 - ::pow(parameter.beta1, step))),
                               lane(1 / ::sqrt(1 - ::pow(parameter.beta2, step)))};
  const auto range = parameter.decay == Decay::none ? adam_range<Decay::none>
                     : parameter.decay == Decay::l2 ? adam_range<Decay::l2>
                                                    : adam_range<Decay::decoupled>;
  parallel(context, parameter.chunks.count, [&](int64_t chunk) {
    range(factors, parameter.chunks.begin(chunk), parameter.chunks.end(chunk), p, g, m, v, new_p, new_m, new_v);
  });
}

PolluxResult prepare_adam(const PolluxStep& step, Prepared* prepared) {
  auto* parameter = make_parameters<AdamParameters>(prepared);
  if (!parameter) return POLLUX_OUT_OF_MEMORY;
  parameter->chunks = plan_chunks(element_count(input(step, 0)), update_grain, most_update_chunks);
  parameter->beta1 = number(step, "beta1");
  parameter->beta2 = number(step, "beta2");
  parameter->epsilon = number(step, "epsilon");
  parameter->weight_decay = number(step, "weightDecay");
  parameter->decay = parameter->weight_decay == 0 ? Decay::none
                     : boolean(step, "decoupled") ? Decay::decoupled
                                                  : Decay::l2;
  prepared->run = run_adam;
  return POLLUX_SUCCESS;
}

constexpr uint32_t float32 = dtype_bit(POLLUX_FLOAT32);
const Kernel kernels[] = {{{"sgdUpdate", float32, 0, nullptr}, prepare_sgd},
                          {{"adamUpdate", float32, 0, nullptr}, prepare_adam}};

}  // namespace

namespace POLLUX_LEVEL {
extern const KernelTable optimizer_kernels;
const KernelTable optimizer_kernels = {kernels, sizeof kernels / sizeof kernels[0]};
}  // namespace POLLUX_LEVEL
}  // namespace pollux
