// gru: x [B, T, 3H] (the gates r, z, n without the state's part), weight [3H, H], bias [H] of n, h [B, H][, lengths
// [B]]
//   -> y [B, T, H], last h, gates [B, T, 3H] after their functions, inner [B, T, H]: what the reset gate weighs.
// gruGrad: dy, dh, gates, inner, y, weight, h[, lengths] -> dx [B, T, 3H], the slopes of the products with the state
//   [B, T, 3H], dh of the first state.
// Cho et al. 2014; the reset gate weighs the product.
#include "recurrent.h"

namespace pollux {
namespace {

constexpr int kInputs = 4;      // of gru, without lengths
constexpr int kGradInputs = 7;  // of gruGrad

struct Forward {
  int64_t units;
  const float* x;
  const float* bias;
  float* gates;
  float* inner;

  void begin(int64_t) const {}
  void skip(int64_t at) const {
    zero_floats(gates + at * 3 * units, 3 * units);
    zero_floats(inner + at * units, units);
  }
  template <typename Gate>
  Floats operator()(const Place& place, int n, const Gate& product, Floats before) const {
    const int64_t at = place.at * 3 * units + place.unit;
    const auto given = [&](int g) { return load_some(x + at + g * units, n); };
    const Floats reset = sigmoid(given(0) + product(0)), update = sigmoid(given(1) + product(1));
    const Floats weighed = product(2) + load_some(bias + place.unit, n);
    const Floats fresh = tanh(given(2) + reset * weighed);
    store_some(gates + at, reset, n);
    store_some(gates + at + units, update, n);
    store_some(gates + at + 2 * units, fresh, n);
    store_some(inner + place.at * units + place.unit, weighed, n);
    return fresh + update * (before - fresh);
  }
};

struct Backward {
  const Recurrence& p;
  const int32_t* lengths;
  const float* gates;
  const float* inner;
  const float* y;
  const float* first;
  float* dx;
  float* slopes;

  void begin(int64_t) const {}
  void skip(int64_t at) const {
    zero_floats(dx + at * 3 * p.units, 3 * p.units);
    zero_floats(slopes + at * 3 * p.units, 3 * p.units);
  }
  template <typename Slope>
  Floats operator()(const Place& place, int n, Floats dh, const Slope& slope) const {
    const int64_t units = p.units, at = place.at * 3 * units + place.unit;
    const Floats one = broadcast(1.0f);
    const auto gate = [&](int g) { return load_some(gates + at + g * units, n); };
    const Floats reset = gate(0), update = gate(1), fresh = gate(2);
    const auto put = [&](int g, Floats of_x, Floats of_state) {
      slope(g, of_state);
      store_some(dx + at + g * units, of_x, n);
      store_some(slopes + at + g * units, of_state, n);
    };
    const Floats dfresh = dh * (one - update) * (one - fresh * fresh);
    const Floats dreset = dfresh * load_some(inner + place.at * units + place.unit, n) * reset * (one - reset);
    const Floats before = load_some(state_before(p, lengths, place, y, first), n);
    const Floats dupdate = dh * (before - fresh) * update * (one - update);
    put(0, dreset, dreset);
    put(1, dupdate, dupdate);
    put(2, dfresh, dfresh * reset);
    return dh * update;
  }
};

void run_forward(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<Recurrence>(prepared);
  const auto in = [&](int i) { return input_data<float>(prepared, context, i); };
  const auto out = [&](int i) { return output_data<float>(prepared, context, i); };
  const Forward cell{p.units, in(0), in(2), out(2), out(3)};
  sweep_forward(p, context, in(1), in(3), lengths_of(prepared, context, p), out(0), out(1), cell);
}

void run_gradient(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<Recurrence>(prepared);
  const auto in = [&](int i) { return input_data<float>(prepared, context, i); };
  const auto out = [&](int i) { return output_data<float>(prepared, context, i); };
  const int32_t* lengths = lengths_of(prepared, context, p);
  const Backward cell{p, lengths, in(2), in(3), in(4), in(6), out(0), out(1)};
  sweep_backward(p, context, in(5), in(0), in(1), lengths, out(2), cell);
}

template <bool backward>
PolluxResult prepare(const PolluxStep& step, Prepared* prepared) {
  auto* p = make_parameters<Recurrence>(prepared);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  plan_recurrence(step, input(step, backward ? 2 : 0), input(step, backward ? 5 : 1), backward ? kGradInputs : kInputs,
                  backward, prepared, *p);
  prepared->run = backward ? run_gradient : run_forward;
  return POLLUX_SUCCESS;
}

constexpr uint32_t float32 = dtype_bit(POLLUX_FLOAT32);
const Kernel kernels[] = {
    {{"gru", float32, 0, nullptr}, prepare<false>},
    {{"gruGrad", float32, 0, nullptr}, prepare<true>},
};

}  // namespace

namespace POLLUX_LEVEL {
extern const KernelTable gru_kernels;
const KernelTable gru_kernels = {kernels, sizeof kernels / sizeof kernels[0]};
}  // namespace POLLUX_LEVEL
}  // namespace pollux
