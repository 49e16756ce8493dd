// rnn: x [B, T, H] (without the state's part), weight [H, H], h [B, H][, lengths [B]] -> y [B, T, H], last h.
// rnnGrad: dy, dh, y, weight[, lengths] -> dx [B, T, H], dh of the first state.
// Elman 1990; the function is tanh or relu.
#include "recurrent.h"

namespace pollux {
namespace {

constexpr int kInputs = 3;      // of rnn, without lengths
constexpr int kGradInputs = 4;  // of rnnGrad

template <bool relu>
struct Forward {
  int64_t units;
  const float* x;

  void begin(int64_t) const {}
  void skip(int64_t) const {}
  template <typename Gate>
  Floats operator()(const Place& place, int n, const Gate& product, Floats) const {
    const Floats sum = load_some(x + place.at * units + place.unit, n) + product(0);
    return relu ? select(sum <= zero(), zero(), sum) : tanh(sum);
  }
};

template <bool relu>
struct Backward {
  int64_t units;
  const float* y;
  float* dx;

  void begin(int64_t) const {}
  void skip(int64_t at) const { zero_floats(dx + at * units, units); }
  template <typename Slope>
  Floats operator()(const Place& place, int n, Floats dh, const Slope& slope) const {
    const int64_t at = place.at * units + place.unit;
    const Floats state = load_some(y + at, n);
    const Floats through = relu ? select(state > zero(), dh, zero()) : dh * (broadcast(1.0f) - state * state);
    slope(0, through);
    store_some(dx + at, through, n);
    return zero();
  }
};

template <bool relu>
void run_forward(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<Recurrence>(prepared);
  const auto in = [&](int i) { return input_data<float>(prepared, context, i); };
  const auto out = [&](int i) { return output_data<float>(prepared, context, i); };
  sweep_forward(p, context, in(1), in(2), lengths_of(prepared, context, p), out(0), out(1),
                Forward<relu>{p.units, in(0)});
}

template <bool relu>
void run_gradient(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<Recurrence>(prepared);
  const auto in = [&](int i) { return input_data<float>(prepared, context, i); };
  const auto out = [&](int i) { return output_data<float>(prepared, context, i); };
  sweep_backward(p, context, in(3), in(0), in(1), lengths_of(prepared, context, p), out(1),
                 Backward<relu>{p.units, in(2), out(0)});
}

template <bool backward>
PolluxResult prepare(const PolluxStep& step, Prepared* prepared) {
  auto* p = make_parameters<Recurrence>(prepared);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  plan_recurrence(step, input(step, backward ? 2 : 0), input(step, backward ? 3 : 1), backward ? kGradInputs : kInputs,
                  backward, prepared, *p);
  const bool relu = strcmp(text(step, "nonlinearity", "tanh"), "relu") == 0;
  if (backward) {
    prepared->run = relu ? run_gradient<true> : run_gradient<false>;
  } else {
    prepared->run = relu ? run_forward<true> : run_forward<false>;
  }
  return POLLUX_SUCCESS;
}

constexpr uint32_t float32 = dtype_bit(POLLUX_FLOAT32);
const Kernel kernels[] = {
    {{"rnn", float32, 0, nullptr}, prepare<false>},
    {{"rnnGrad", float32, 0, nullptr}, prepare<true>},
};

}  // namespace

namespace POLLUX_LEVEL {
extern const KernelTable rnn_kernels;
const KernelTable rnn_kernels = {kernels, sizeof kernels / sizeof kernels[0]};
}  // namespace POLLUX_LEVEL
}  // namespace pollux
