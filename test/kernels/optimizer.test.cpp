// Trajectories of 20 steps against float64, in place and apart; and the speed of AdamW beside a loop that only moves
// bytes.
#include <thread>

#include "check.h"

using namespace check;

namespace {

constexpr double ulp = 1.0 / (1 << 23);
constexpr double learning_rate = 0.01, scale = 0.5;

Array number(double value) {
  Array array(POLLUX_FLOAT32, {});
  array.set(0, value);
  return array;
}

/// The same gradients for the kernel and the reference.
double gradient(int64_t i, int step) {
  return float(std::sin(0.7 * double(i) + step) + 0.1 * double(i % 7));
}

/// float32 of a double, as the kernel gets its scalars.
double f32(double value) {
  return float(value);
}

struct Sgd {
  double momentum, dampening, weight_decay;
  bool nesterov;
};

/// PyTorch's SGD in float64.
void reference_step(const Sgd& s, int step, double g, double& p, double& buffer) {
  g = g * scale + s.weight_decay * p;
  if (s.momentum != 0) {
    buffer = step == 1 ? g : s.momentum * buffer + (1 - s.dampening) * g;
    g = s.nesterov ? g + s.momentum * buffer : buffer;
  }
  p -= f32(learning_rate) * g;
}

struct Adam {
  double beta1, beta2, epsilon, weight_decay;
  bool decoupled;
};

/// PyTorch's Adam and AdamW in float64.
void reference_step(const Adam& a, int step, double g, double& p, double& m, double& v) {
  g *= scale;
  if (a.decoupled)
    p *= 1 - f32(learning_rate) * a.weight_decay;
  else
    g += a.weight_decay * p;
  m = a.beta1 * m + (1 - a.beta1) * g;
  v = a.beta2 * v + (1 - a.beta2) * g * g;
  const double bias1 = 1 - std::pow(a.beta1, step), bias2 = 1 - std::pow(a.beta2, step);
  p -= f32(learning_rate) / bias1 * m / (std::sqrt(v) / std::sqrt(bias2) + a.epsilon);
}

const std::vector<int64_t> sizes = {0, 1, 15, 17, 1000, 40009};

}  // namespace

TEST(optimizer_sgd_trajectory) {
  for (const Sgd& s : {Sgd{0, 0, 0, false}, Sgd{0, 0, 0.1, false}, Sgd{0.9, 0, 0, false}, Sgd{0.9, 0.3, 0.01, false},
                       Sgd{0.9, 0, 0.01, true}})
    for (int64_t n : sizes)
      for (bool in_place : {true, false}) {
        const int64_t held = s.momentum != 0 ? n : 0;
        Array p(POLLUX_FLOAT32, {n}), g(POLLUX_FLOAT32, {n}), buffer(POLLUX_FLOAT32, {held}),
            new_p(POLLUX_FLOAT32, {n}), new_buffer(POLLUX_FLOAT32, {held});
        Array rate = number(learning_rate), factor = number(scale);
        Random random;
        p.randomize(random);
        buffer.fill([](int64_t) { return NAN; });  // the first step must not read it
        std::vector<double> exact = p.values(), exact_buffer(size_t(held), 0);
        for (int step = 1; step <= 20; ++step) {
          g.fill([&](int64_t i) { return gradient(i, step); });
          Array count = number(step);
          Step update = {"sgdUpdate",
                         {&p, &g, &buffer, &rate, &count, &factor},
                         {&p, &buffer},
                         {{"momentum", s.momentum},
                          {"dampening", s.dampening},
                          {"nesterov", double(s.nesterov)},
                          {"weightDecay", s.weight_decay}}};
          if (!in_place) update.outputs = {&new_p, &new_buffer};
          run(update);
          if (!in_place) {
            p.fill([&](int64_t i) { return new_p.get(i); });
            buffer.fill([&](int64_t i) { return new_buffer.get(i); });
          }
          double unused = 0;
          for (int64_t i = 0; i < n; ++i)
            reference_step(s, step, g.get(i), exact[size_t(i)], held ? exact_buffer[size_t(i)] : unused);
          // Each step adds a few roundings of p and of the buffer (at most 10 here) times the rate.
          COMPARE(p, exact, step * ulp, step * ulp);
          COMPARE(buffer, exact_buffer, 4 * ulp, 20 * ulp);
        }
      }
}

TEST(optimizer_adam_trajectory) {
  for (const Adam& a :
       {Adam{0.9, 0.999, 1e-8, 0, false}, Adam{0.8, 0.99, 1e-6, 0.05, false}, Adam{0.9, 0.999, 1e-8, 0.05, true}})
    for (int64_t n : sizes)
      for (bool in_place : {true, false}) {
        Array p(POLLUX_FLOAT32, {n}), g(POLLUX_FLOAT32, {n}), m(POLLUX_FLOAT32, {n}), v(POLLUX_FLOAT32, {n});
        Array new_p(POLLUX_FLOAT32, {n}), new_m(POLLUX_FLOAT32, {n}), new_v(POLLUX_FLOAT32, {n});
        Array rate = number(learning_rate), factor = number(scale);
        Random random;
        p.randomize(random);
        m.fill([](int64_t) { return 0; });
        v.fill([](int64_t) { return 0; });
        std::vector<double> exact = p.values(), exact_m = m.values(), exact_v = v.values();
        for (int step = 1; step <= 20; ++step) {
          g.fill([&](int64_t i) { return gradient(i, step); });
          Array count = number(step);
          Step update = {"adamUpdate",
                         {&p, &g, &m, &v, &rate, &count, &factor},
                         {&p, &m, &v},
                         {{"beta1", a.beta1},
                          {"beta2", a.beta2},
                          {"epsilon", a.epsilon},
                          {"weightDecay", a.weight_decay},
                          {"decoupled", double(a.decoupled)}}};
          if (!in_place) update.outputs = {&new_p, &new_m, &new_v};
          run(update);
          if (!in_place) {
            p.fill([&](int64_t i) { return new_p.get(i); });
            m.fill([&](int64_t i) { return new_m.get(i); });
            v.fill([&](int64_t i) { return new_v.get(i); });
          }
          for (int64_t i = 0; i < n; ++i)
            reference_step(a, step, g.get(i), exact[size_t(i)], exact_m[size_t(i)], exact_v[size_t(i)]);
          COMPARE(p, exact, step * ulp, step * ulp);
          COMPARE(m, exact_m, 4 * ulp, 4 * ulp);
          COMPARE(v, exact_v, 8 * ulp, 2 * ulp);
        }
      }
}

TEST(optimizer_tiny_gradients_and_zero_state) {
  Array p(POLLUX_FLOAT32, {3}), g(POLLUX_FLOAT32, {3}), m(POLLUX_FLOAT32, {3}), v(POLLUX_FLOAT32, {3});
  for (Array* a : {&p, &g, &m, &v}) a->fill([](int64_t) { return 0; });
  g.set(1, 1e-20);
  g.set(2, 1e-6);
  Array rate = number(learning_rate), count = number(1), factor = number(1);
  run({"adamUpdate",
       {&p, &g, &m, &v, &rate, &count, &factor},
       {&p, &m, &v},
       {{"beta1", 0.9}, {"beta2", 0.999}, {"epsilon", 1e-8}, {"weightDecay", 0.0}, {"decoupled", 0.0}}});
  // Without state and gradient nothing moves; 1e-20 squared is no float, so epsilon alone divides.
  const std::vector<double> expected = {0, -0.01 * 1e-20 / 1e-8, -0.01 * 1e-6 / (1e-6 + 1e-8)};
  COMPARE(p, expected, 1e-5, 0);
}

// Three calls for an update, and slow weights that are met at every second one: in place the state is not touched
// between, and apart it is copied.
TEST(optimizer_accumulates_and_meets_slow_weights) {
  for (int64_t n : sizes)
    for (bool in_place : {true, false}) {
      Array p(POLLUX_FLOAT32, {n}), g(POLLUX_FLOAT32, {n}), none(POLLUX_FLOAT32, {0}), sum(POLLUX_FLOAT32, {n}),
          slow(POLLUX_FLOAT32, {n});
      Array new_p(POLLUX_FLOAT32, {n}), new_none(POLLUX_FLOAT32, {0}), new_sum(POLLUX_FLOAT32, {n}),
          new_slow(POLLUX_FLOAT32, {n});
      Array rate = number(learning_rate), factor = number(1.0 / 3);
      Random random;
      p.randomize(random);
      sum.fill([](int64_t) { return 0; });
      slow.fill([](int64_t) { return NAN; });  // the first step must not read it
      std::vector<double> exact = p.values(), anchor = exact;
      for (int call = 0; call < 12; ++call) {
        const int step = 1 + call / 3;
        const bool due = call % 3 == 2;
        g.fill([&](int64_t i) { return gradient(i, call); });
        Array count = number(step), is_due = number(due);
        Step update = {"sgdUpdate",
                       {&p, &g, &none, &sum, &slow, &rate, &count, &factor, &is_due},
                       {&p, &none, &sum, &slow},
                       {{"accumulates", 1.0}, {"lookahead", 2.0}, {"alpha", 0.25}, {"clipValue", 0.5}}};
        if (!in_place) update.outputs = {&new_p, &new_none, &new_sum, &new_slow};
        run(update);
        if (!in_place) {
          p.fill([&](int64_t i) { return new_p.get(i); });
          sum.fill([&](int64_t i) { return new_sum.get(i); });
          slow.fill([&](int64_t i) { return new_slow.get(i); });
        }
        if (!due) continue;
        for (int64_t i = 0; i < n; ++i) {
          const double mean = (gradient(i, call - 2) + gradient(i, call - 1) + gradient(i, call)) / 3;
          double& weight = exact[size_t(i)];
          weight -= f32(learning_rate) * std::max(-0.5, std::min(0.5, mean));
          if (step % 2 == 0) weight = anchor[size_t(i)] += 0.25 * (weight - anchor[size_t(i)]);
          if (sum.get(i) != 0) COMPARE(sum, std::vector<double>(size_t(n), 0), 0, 0);
        }
        COMPARE(p, exact, 4 * step * ulp, step * ulp);
        COMPARE(slow, anchor, 4 * step * ulp, step * ulp);
      }
    }
}

/// Reads p, g, m, v and writes p, m, v without arithmetic: the speed limit of an update in place.
static void move_bytes(float* p, const float* g, float* m, float* v, int64_t begin, int64_t end) {
  typedef float Wide __attribute__((vector_size(64), aligned(4)));
  typedef uint32_t Bits __attribute__((vector_size(64)));
  for (int64_t i = begin; i + 16 <= end; i += 16) {
    auto at = [i](const float* a) { return *reinterpret_cast<const Wide*>(a + i); };
    const Wide new_p = Wide(Bits(at(p)) ^ Bits(at(g))), new_m = at(v), new_v = at(m);
    *reinterpret_cast<Wide*>(p + i) = new_p;
    *reinterpret_cast<Wide*>(m + i) = new_m;
    *reinterpret_cast<Wide*>(v + i) = new_v;
  }
}

TEST(bench_optimizer) {
  const int64_t n = 50'000'000;
  Array p(POLLUX_FLOAT32, {n}), g(POLLUX_FLOAT32, {n}), m(POLLUX_FLOAT32, {n}), v(POLLUX_FLOAT32, {n});
  for (Array* a : {&p, &g, &m, &v}) std::memset(a->data(), 0, size_t(n) * 4);
  Array rate = number(1e-3), count = number(2), factor = number(1);
  Runner adam({"adamUpdate",
               {&p, &g, &m, &v, &rate, &count, &factor},
               {&p, &m, &v},
               {{"beta1", 0.9}, {"beta2", 0.999}, {"epsilon", 1e-8}, {"weightDecay", 0.01}, {"decoupled", 1.0}}});
  Runner sgd({"sgdUpdate", {&p, &g, &m, &rate, &count, &factor}, {&p, &m}, {{"momentum", 0.9}}});
  const auto data = [](Array& a) { return static_cast<float*>(a.data()); };
  double stream = 1e9, update = 1e9, momentum = 1e9;
  for (int repeat = 0; repeat < 5; ++repeat) {  // interleaved, so that both see the same machine
    stream =
        std::min(stream, fastest(
                             [&] {
                               std::thread other([&] { move_bytes(data(p), data(g), data(m), data(v), n / 2, n); });
                               move_bytes(data(p), data(g), data(m), data(v), 0, n / 2);
                               other.join();
                             },
                             2));
    for (Array* a : {&p, &m, &v}) std::memset(a->data(), 0, size_t(n) * 4);
    update = std::min(update, fastest([&] { adam(2); }, 2));
    momentum = std::min(momentum, fastest([&] { sgd(2); }, 2));
  }
  std::printf(
      "50 M parameters on 2 threads: stream of 4 reads and 3 writes %.1f GB/s, AdamW %.1f GB/s (%.0f %%), SGD with "
      "momentum %.1f GB/s\n",
      28e-9 * double(n) / stream, 28e-9 * double(n) / update, 100 * stream / update, 20e-9 * double(n) / momentum);
}

/// Adds the first array to each of the others without more arithmetic: what an update with so many arrays cannot beat.
static void stream_bytes(const std::vector<float*>& arrays, int64_t n) {
  typedef float Wide __attribute__((vector_size(64), aligned(4)));
  for (int64_t i = 0; i + 16 <= n; i += 16) {
    const Wide& added = *reinterpret_cast<const Wide*>(arrays[0] + i);
    for (size_t k = 1; k < arrays.size(); ++k) *reinterpret_cast<Wide*>(arrays[k] + i) += added;
  }
}

TEST(bench_optimizer_rules) {
  struct Rule {
    const char* what;
    const char* op;
    int held;
    std::vector<double> own;
    std::vector<Attribute> attributes;
  };
  const std::vector<Attribute> adam = {{"beta1", 0.9}, {"beta2", 0.999}, {"epsilon", 1e-8}};
  const auto with = [](std::vector<Attribute> all, const std::vector<Attribute>& more) {
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const std::vector<Attribute> rmsprop = {{"decay", 0.99}, {"epsilon", 1e-8}};
  const std::vector<Rule> rules = {
      {"sgd", "sgdUpdate", 0, {}, {}},
      {"momentum", "sgdUpdate", 1, {}, {{"momentum", 0.9}}},
      {"adam", "adamUpdate", 2, {}, adam},
      {"amsgrad", "adamUpdate", 3, {}, adam},
      {"nadam", "nadamUpdate", 2, {0.1, 0.9}, adam},
      {"radam", "radamUpdate", 2, {0.5}, adam},
      {"adamax", "adamaxUpdate", 2, {}, adam},
      {"lion", "lionUpdate", 1, {}, {{"beta1", 0.9}, {"beta2", 0.99}, {"weightDecay", 0.1}, {"decoupled", 1.0}}},
      {"rmsprop", "rmspropUpdate", 1, {}, rmsprop},
      {"rmsprop, centered", "rmspropUpdate", 3, {}, with(rmsprop, {{"momentum", 0.9}, {"centered", 1.0}})},
      {"adagrad", "adagradUpdate", 1, {}, {{"epsilon", 1e-10}}},
      {"adadelta", "adadeltaUpdate", 2, {}, {{"epsilon", 1e-6}, {"decay", 0.9}}},
      {"rprop", "rpropUpdate", 2, {}, {{"less", 0.5}, {"more", 1.2}, {"least", 1e-6}, {"most", 50.0}}},
      {"adam, clipValue, l1", "adamUpdate", 2, {}, with(adam, {{"clipValue", 1.0}, {"l1", 1e-5}})},
      {"adam, lookahead", "adamUpdate", 3, {}, with(adam, {{"lookahead", 2.0}, {"alpha", 0.5}})},
      {"adam, accumulated", "adamUpdate", 3, {1}, with(adam, {{"accumulates", 1.0}})},
      {"adam, accumulating", "adamUpdate", 3, {0}, with(adam, {{"accumulates", 1.0}})},
  };
  const int64_t n = 8'000'000;
  std::vector<Array> arrays;
  std::vector<float*> data;
  for (int k = 0; k < 5; ++k) {
    arrays.emplace_back(POLLUX_FLOAT32, std::vector<int64_t>{n});
    data.push_back(static_cast<float*>(arrays.back().data()));
  }
  for (const Rule& rule : rules) {
    for (float* a : data) std::fill(a, a + n, 1e-3f);
    Array none(POLLUX_FLOAT32, {0}), rate = number(1e-3), count = number(2), factor = number(1);
    std::vector<Array> own;
    for (double value : rule.own) own.push_back(number(value));
    Step step = {rule.op, {&arrays[1], &arrays[0]}, {&arrays[1]}, rule.attributes};
    const bool stateless = rule.held == 0;
    for (int k = 0; k < std::max(1, rule.held); ++k) {
      step.inputs.push_back(stateless ? &none : &arrays[size_t(k) + 2]);
      step.outputs.push_back(step.inputs.back());
    }
    for (Array* scalar : {&rate, &count, &factor}) step.inputs.push_back(scalar);
    for (Array& scalar : own) step.inputs.push_back(&scalar);
    Runner update(step);
    const std::vector<float*> moved(data.begin(), data.begin() + rule.held + 2);
    double stream = 1e9, time = 1e9;
    for (int repeat = 0; repeat < 8; ++repeat) {  // interleaved, so that both see the same machine
      stream = std::min(stream, fastest([&] { stream_bytes(moved, n); }, 1));
      for (float* a : data) std::fill(a, a + n, 1e-3f);
      time = std::min(time, fastest([&] { update(1); }, 2));
    }
    std::printf("%-20s %.2f ns a parameter on one thread, %3.0f %% of its stream\n", rule.what, 1e9 * time / double(n),
                100 * stream / time);
  }
}
