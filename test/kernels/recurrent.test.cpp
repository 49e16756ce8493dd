// lstm, gru, rnn and their gradients. The values of all six are held to float64 references by test/conformance; here
// the forward values are, over sizes around every vector, panel and chunk, with canaries around all operands; and each
// sequence of a batch has the bits that it has alone.
#include <memory>

#include "check.h"

using namespace check;

namespace {

struct Size {
  int64_t batch, steps, units;
};
const std::vector<Size> sizes = {{0, 3, 5},  {3, 0, 5},  {2, 3, 0},   {1, 1, 1},  {1, 4, 16},  {5, 3, 17},
                                 {9, 2, 31}, {8, 2, 32}, {17, 2, 33}, {33, 3, 7}, {35, 2, 65}, {3, 2, 130}};

struct Cell {
  const char* name;
  int64_t gates;
};
const Cell cells[] = {{"lstm", 4}, {"gru", 3}, {"rnn", 1}};

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

/// The operands of a forward step and of its gradient, in the order of the ops' records.
struct Layer {
  Cell cell;
  Size size;
  bool reverse, with_lengths;
  Array x, weight, bias, h, c, lengths;   // inputs
  Array y, last_h, last_c, gates, cells;  // outputs
  Array dy, dh, dc, dx, slopes, first_dh, first_dc;

  static Array floats(std::vector<int64_t> shape) { return Array(POLLUX_FLOAT32, std::move(shape)); }
  Layer(const Cell& cell, const Size& s, bool reverse, bool with_lengths)
      : cell(cell),
        size(s),
        reverse(reverse),
        with_lengths(with_lengths),
        x(each(cell.gates)),
        weight(floats({cell.gates * s.units, s.units})),
        bias(floats({s.units})),
        h(state()),
        c(state()),
        lengths(POLLUX_INT32, {s.batch}),
        y(each(1)),
        last_h(state()),
        last_c(state()),
        gates(each(cell.gates)),
        cells(each(1)),
        dy(each(1)),
        dh(state()),
        dc(state()),
        dx(each(cell.gates)),
        slopes(each(cell.gates)),
        first_dh(state()),
        first_dc(state()) {}
  Array each(int64_t width) const { return floats({size.batch, size.steps, width * size.units}); }
  Array state() const { return floats({size.batch, size.units}); }

  void randomize(Random& random) {
    const double reach = 1 / std::sqrt(double(size.units) + 1);
    weight.randomize(random, -reach, reach);
    for (Array* input : {&x, &bias, &h, &c, &dy, &dh, &dc}) input->randomize(random);
    for (int64_t i = 0; i < size.batch; ++i) lengths.set_integer(i, random.below(size.steps + 3) - 1);
  }

  int64_t length(int64_t row) const {
    const int64_t given = with_lengths ? lengths.get_integer(row) : size.steps;
    return given < 0 ? 0 : given > size.steps ? size.steps : given;
  }

  void forward() {
    if (cell.gates == 4) return step("lstm", {&x, &weight, &h, &c}, {&y, &last_h, &last_c, &gates, &cells});
    if (cell.gates == 3) return step("gru", {&x, &weight, &bias, &h}, {&y, &last_h, &gates, &cells});
    step("rnn", {&x, &weight, &h}, {&y, &last_h});
  }
  void backward() {
    if (cell.gates == 4)
      return step("lstmGrad", {&dy, &dh, &dc, &gates, &cells, &weight, &c}, {&dx, &first_dh, &first_dc});
    if (cell.gates == 3) return step("gruGrad", {&dy, &dh, &gates, &cells, &y, &weight, &h}, {&dx, &slopes, &first_dh});
    step("rnnGrad", {&dy, &dh, &y, &weight}, {&dx, &first_dh});
  }
  void step(const char* kernel, std::vector<Array*> inputs, std::vector<Array*> outputs) {
    if (with_lengths) inputs.push_back(&lengths);
    std::vector<Attribute> attributes{{"reverse", reverse ? 1.0 : 0.0}};
    if (cell.gates == 1) attributes.emplace_back("nonlinearity", "tanh");
    run({kernel, std::move(inputs), std::move(outputs), std::move(attributes)});
  }

  /// y and the last h, in float64.
  void reference(std::vector<double>& all, std::vector<double>& last) const {
    const int64_t units = size.units;
    all.assign(size_t(y.count()), 0);
    last = h.values();
    std::vector<double> cell_state = c.values(), sums(size_t(cell.gates * units));
    for (int64_t row = 0; row < size.batch; ++row)
      for (int64_t s = 0; s < length(row); ++s) {
        const int64_t at = row * size.steps + (reverse ? length(row) - 1 - s : s);
        for (int64_t i = 0; i < cell.gates * units; ++i) {
          sums[size_t(i)] = 0;
          for (int64_t k = 0; k < units; ++k)
            sums[size_t(i)] += weight.get(i * units + k) * last[size_t(row * units + k)];
        }
        for (int64_t u = 0; u < units; ++u) {
          const auto given = [&](int64_t g) { return x.get((at * cell.gates + g) * units + u); };
          const auto sum = [&](int64_t g) { return sums[size_t(g * units + u)]; };
          double& state = last[size_t(row * units + u)];
          if (cell.gates == 4) {
            double& running = cell_state[size_t(row * units + u)];
            running = sigmoid(given(1) + sum(1)) * running + sigmoid(given(0) + sum(0)) * std::tanh(given(2) + sum(2));
            state = sigmoid(given(3) + sum(3)) * std::tanh(running);
          } else if (cell.gates == 3) {
            const double reset = sigmoid(given(0) + sum(0)), update = sigmoid(given(1) + sum(1));
            const double fresh = std::tanh(given(2) + reset * (sum(2) + bias.get(u)));
            state = (1 - update) * fresh + update * state;
          } else {
            state = std::tanh(given(0) + sum(0));
          }
          all[size_t(at * units + u)] = state;
        }
      }
  }
};

/// Copies row `row` of `from` into the one row of `to`.
void take_row(const Array& from, int64_t row, Array& to) {
  for (int64_t i = 0; i < to.count(); ++i) to.set(i, from.get(row * to.count() + i));
}
bool is_row(const Array& one, const Array& all, int64_t row) {
  for (int64_t i = 0; i < one.count(); ++i)
    if (one.get(i) != all.get(row * one.count() + i)) return false;
  return true;
}

void for_each_layer(const std::function<void(Layer&)>& body) {
  Random random;
  for (const Cell& cell : cells)
    for (const Size& size : sizes)
      for (int form = 0; form < 4; ++form) {
        const auto layer = std::make_unique<Layer>(cell, size, form % 2 == 1, form / 2 == 1);
        layer->randomize(random);
        layer->forward();
        layer->backward();
        body(*layer);
      }
}

}  // namespace

TEST(recurrent_values) {
  for_each_layer([](Layer& layer) {
    std::vector<double> y, last;
    layer.reference(y, last);
    COMPARE(layer.y, y, 0, 4e-6);
    COMPARE(layer.last_h, last, 0, 4e-6);
  });
}

TEST(recurrent_sequences_have_the_bits_that_they_have_alone) {
  for_each_layer([](Layer& layer) {
    for (int64_t row = 0; row < layer.size.batch; row += 5) {
      Layer alone(layer.cell, {1, layer.size.steps, layer.size.units}, layer.reverse, layer.with_lengths);
      alone.weight = layer.weight;
      alone.bias = layer.bias;
      for (auto input : {&Layer::x, &Layer::h, &Layer::c, &Layer::dy, &Layer::dh, &Layer::dc})
        take_row(layer.*input, row, alone.*input);
      alone.lengths.set_integer(0, layer.lengths.get_integer(row));
      alone.forward();
      alone.backward();
      for (auto output : {&Layer::y, &Layer::last_h, &Layer::dx, &Layer::first_dh})
        CHECK(is_row(alone.*output, layer.*output, row));
    }
  });
}

TEST(bench_recurrent) {
  Random random;
  for (const Cell& cell : cells)
    for (const Size& size : {Size{32, 50, 128}, Size{64, 50, 512}}) {
      Layer layer(cell, size, false, false);
      layer.randomize(random);
      layer.forward();
      std::vector<Array*> inputs{&layer.x, &layer.weight}, outputs{&layer.y, &layer.last_h};
      if (cell.gates == 4)
        inputs.insert(inputs.end(), {&layer.h, &layer.c}),
            outputs.insert(outputs.end(), {&layer.last_c, &layer.gates, &layer.cells});
      if (cell.gates == 3)
        inputs.insert(inputs.end(), {&layer.bias, &layer.h}),
            outputs.insert(outputs.end(), {&layer.gates, &layer.cells});
      if (cell.gates == 1) inputs.push_back(&layer.h);
      Runner forward({cell.name, inputs, outputs, {{"reverse", 0.0}, {"nonlinearity", "tanh"}}});
      const double work = 2e-9 * double(size.batch * size.steps * cell.gates * size.units * size.units);
      std::printf("%s [%lld, %lld, %lld], GFLOP/s: %.0f on 1 thread, %.0f on 2\n", cell.name,
                  static_cast<long long>(size.batch), static_cast<long long>(size.steps),
                  static_cast<long long>(size.units), work / fastest([&] { forward(1); }),
                  work / fastest([&] { forward(2); }));
    }
}
