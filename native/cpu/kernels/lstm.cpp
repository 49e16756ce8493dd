// lstm: x [B, T, 4H] (the gates i, f, g, o without the state's part), weight [4H, H], h and c [B, H][, lengths [B]]
//   -> y [B, T, H], last h, last c, gates [B, T, 4H] after their functions, cells [B, T, H].
// lstmGrad: dy, dh, dc, gates, cells, weight, c[, lengths] -> dx [B, T, 4H], dh, dc of the first state.
// Hochreiter and Schmidhuber 1997, with the forget gate of Gers, Schmidhuber and Cummins 2000.
#include "recurrent.h"

namespace pollux {
namespace {

constexpr int kInputs = 4;      // of lstm, without lengths
constexpr int kGradInputs = 7;  // of lstmGrad

struct Forward {
  int64_t units;
  const float* x;
  const float* first_cell;
  float* last_cell;  // the running cell
  float* gates;
  float* cells;

  void begin(int64_t row) const { copy_floats(last_cell + row * units, first_cell + row * units, units); }
  void skip(int64_t at) const {
    zero_floats(gates + at * 4 * units, 4 * units);
    zero_floats(cells + at * units, units);
  }
  template <typename Gate>
  Floats operator()(const Place& place, int n, const Gate& product, Floats) const {
    const int64_t at = place.at * 4 * units + place.unit;
    const auto gate = [&](int g) { return load_some(x + at + g * units, n) + product(g); };
    const Floats i = sigmoid(gate(0)), f = sigmoid(gate(1)), g = tanh(gate(2)), o = sigmoid(gate(3));
    float* running = last_cell + place.row * units + place.unit;
    const Floats cell = f * load_some(running, n) + i * g;
    store_some(running, cell, n);
    store_some(cells + place.at * units + place.unit, cell, n);
    store_some(gates + at, i, n);
    store_some(gates + at + units, f, n);
    store_some(gates + at + 2 * units, g, n);
    store_some(gates + at + 3 * units, o, n);
    return o * tanh(cell);
  }
};

struct Backward {
  const Recurrence& p;
  const int32_t* lengths;
  const float* gates;
  const float* cells;
  const float* first_cell;
  const float* last_slope;
  float* dcell;  // the running slope of the cell
  float* dx;

  void begin(int64_t row) const { copy_floats(dcell + row * p.units, last_slope + row * p.units, p.units); }
  void skip(int64_t at) const { zero_floats(dx + at * 4 * p.units, 4 * p.units); }

  template <typename Slope>
  Floats operator()(const Place& place, int n, Floats dh, const Slope& slope) const {
    const int64_t units = p.units, at = place.at * 4 * units + place.unit;
    const Floats one = broadcast(1.0f);
    const auto gate = [&](int g) { return load_some(gates + at + g * units, n); };
    const Floats i = gate(0), f = gate(1), g = gate(2), o = gate(3);
    const Floats bent = tanh(load_some(cells + place.at * units + place.unit, n));
    float* running = dcell + place.row * units + place.unit;
    const Floats dc = load_some(running, n) + dh * o * (one - bent * bent);
    const auto put = [&](int index, Floats v) {
      slope(index, v);
      store_some(dx + at + index * units, v, n);
    };
    put(0, dc * g * i * (one - i));
    put(1, dc * load_some(state_before(p, lengths, place, cells, first_cell), n) * f * (one - f));
    put(2, dc * i * (one - g * g));
    put(3, dh * bent * o * (one - o));
    store_some(running, dc * f, n);
    return zero();
  }
};

void run_forward(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<Recurrence>(prepared);
  const auto in = [&](int i) { return input_data<float>(prepared, context, i); };
  const auto out = [&](int i) { return output_data<float>(prepared, context, i); };
  const Forward cell{p.units, in(0), in(3), out(2), out(3), out(4)};
  sweep_forward(p, context, in(1), in(2), lengths_of(prepared, context, p), out(0), out(1), cell);
}

void run_gradient(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<Recurrence>(prepared);
  const auto in = [&](int i) { return input_data<float>(prepared, context, i); };
  const auto out = [&](int i) { return output_data<float>(prepared, context, i); };
  const int32_t* lengths = lengths_of(prepared, context, p);
  const Backward cell{p, lengths, in(3), in(4), in(6), in(2), out(2), out(0)};
  sweep_backward(p, context, in(5), in(0), in(1), lengths, out(1), cell);
}

template <bool backward>
PolluxResult prepare(const PolluxStep& step, Prepared* prepared) {
  auto* p = make_parameters<Recurrence>(prepared);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  plan_recurrence(step, input(step, backward ? 3 : 0), input(step, backward ? 5 : 1), backward ? kGradInputs : kInputs,
                  backward, prepared, *p);
  prepared->run = backward ? run_gradient : run_forward;
  return POLLUX_SUCCESS;
}

constexpr uint32_t float32 = dtype_bit(POLLUX_FLOAT32);
const Kernel kernels[] = {
    {{"lstm", float32, 0, nullptr}, prepare<false>},
    {{"lstmGrad", float32, 0, nullptr}, prepare<true>},
};

}  // namespace

namespace POLLUX_LEVEL {
extern const KernelTable lstm_kernels;
const KernelTable lstm_kernels = {kernels, sizeof kernels / sizeof kernels[0]};
}  // namespace POLLUX_LEVEL
}  // namespace pollux
