// Parameter updates in one pass over memory, by PyTorch's rules where it has the optimizer: a rule each, which changes
// the weights `p` by the slopes `g` and the state. The records' decompositions in src/ops/optimizerRules.ts say the
// same in graph ops.
#include "optimizer_update.h"

namespace pollux {
namespace {

/// An exponential average.
struct Average {
  Floats kept, taken;
  explicit Average(double decay) : kept(lane(decay)), taken(lane(1 - decay)) {}
  Floats operator()(Floats average, Floats x) const { return kept * average + taken * x; }
};

double bias_correction(double beta, double step) {
  return 1 - ::pow(beta, step);
}

// ---- SGD ---------------------------------------------------------------------------------------------------------

struct SgdNames {
  static constexpr const char* list[] = {"momentum", "dampening", "nesterov", nullptr};
};

struct PlainSgd {
  static constexpr int slots = 0;
  Floats rate;
  explicit PlainSgd(const UpdateNumbers& n) : rate(lane(n.learning_rate)) {}
  void operator()(Floats& p, Floats g, Floats*) const { p = p - rate * g; }
};

/// The first step does not read the buffer: it becomes the gradient.
template <bool first>
struct MomentumSgd {
  static constexpr int slots = 1;
  Floats rate, momentum, undamped;
  bool nesterov;
  explicit MomentumSgd(const UpdateNumbers& n)
      : rate(lane(n.learning_rate)),
        momentum(lane(n.settings[0])),
        undamped(lane(1 - n.settings[1])),
        nesterov(n.settings[2] != 0) {}
  void operator()(Floats& p, Floats g, Floats* state) const {
    state[0] = first ? g : momentum * state[0] + undamped * g;
    p = p - rate * (nesterov ? g + momentum * state[0] : state[0]);
  }
};

RunRule choose_sgd(const UpdateParameters& u, const UpdateNumbers& n) {
  if (u.settings[0] == 0) return run_rule<PlainSgd>;
  return n.step <= 1 ? run_rule<MomentumSgd<true>> : run_rule<MomentumSgd<false>>;
}

// ---- Adam and its relatives --------------------------------------------------------------------------------------

struct AdamNames {
  static constexpr const char* list[] = {"beta1", "beta2", "epsilon", nullptr};
};

/// Both moments, and sqrt(v) / sqrt(bias) + epsilon.
struct Moments {
  Average first, second;
  Floats inverse_bias, epsilon;
  explicit Moments(const UpdateNumbers& n)
      : first(n.settings[0]),
        second(n.settings[1]),
        inverse_bias(lane(1 / ::sqrt(bias_correction(n.settings[1], n.step)))),
        epsilon(lane(n.settings[2])) {}
  void move(Floats g, Floats* state) const {
    state[0] = first(state[0], g);
    state[1] = second(state[1], g * g);
  }
  Floats denominator(Floats v) const { return sqrt(v) * inverse_bias + epsilon; }
};

/// learningRate / (1 - beta1^step)
Floats corrected_rate(const UpdateNumbers& n) {
  return lane(n.learning_rate / bias_correction(n.settings[0], n.step));
}

/// Adam (Kingma and Ba 2015), AdamW (Loshchilov and Hutter 2019); AMSGrad (Reddi et al. 2018) divides by the largest v
/// so far.
template <bool amsgrad>
struct Adam {
  static constexpr int slots = amsgrad ? 3 : 2;
  Moments moments;
  Floats rate;
  explicit Adam(const UpdateNumbers& n) : moments(n), rate(corrected_rate(n)) {}
  void operator()(Floats& p, Floats g, Floats* state) const {
    moments.move(g, state);
    if constexpr (amsgrad) state[2] = maximum(state[2], state[1]);
    p = p - rate * (state[0] / moments.denominator(state[slots - 1]));
  }
};

RunRule choose_adam(const UpdateParameters& u, const UpdateNumbers&) {
  return u.slots == 3 ? run_rule<Adam<true>> : run_rule<Adam<false>>;
}

/// NAdam (Dozat 2016). Its own numbers: the rates of the gradient and of the mean.
struct NAdam {
  static constexpr int slots = 2;
  Moments moments;
  Floats of_slope, of_mean;
  explicit NAdam(const UpdateNumbers& n) : moments(n), of_slope(broadcast(n.own[0])), of_mean(broadcast(n.own[1])) {}
  void operator()(Floats& p, Floats g, Floats* state) const {
    moments.move(g, state);
    p = p - (g * of_slope + state[0] * of_mean) / moments.denominator(state[1]);
  }
};

/// RAdam (Liu et al. 2020). Its own number: the rectification, 0 while the variance is not known.
struct RAdam {
  static constexpr int slots = 2;
  Moments moments;
  Floats rate, rectified;
  bool known;
  explicit RAdam(const UpdateNumbers& n)
      : moments(n), rate(corrected_rate(n)), rectified(rate * broadcast(n.own[0])), known(n.own[0] > 0) {}
  void operator()(Floats& p, Floats g, Floats* state) const {
    moments.move(g, state);
    p = p - state[0] * (known ? rectified / (sqrt(state[1]) + moments.epsilon) : rate);
  }
};

/// Adamax (Kingma and Ba 2015, section 7.1).
struct Adamax {
  static constexpr int slots = 2;
  Average average;
  Floats decay, epsilon, rate;
  explicit Adamax(const UpdateNumbers& n)
      : average(n.settings[0]), decay(lane(n.settings[1])), epsilon(lane(n.settings[2])), rate(corrected_rate(n)) {}
  void operator()(Floats& p, Floats g, Floats* state) const {
    state[0] = average(state[0], g);
    state[1] = maximum(state[1] * decay, absolute(g) + epsilon);
    p = p - state[0] / state[1] * rate;
  }
};

struct LionNames {
  static constexpr const char* list[] = {"beta1", "beta2", nullptr};
};

/// Lion (Chen et al. 2023).
struct Lion {
  static constexpr int slots = 1;
  Average toward, average;
  Floats rate;
  explicit Lion(const UpdateNumbers& n) : toward(n.settings[0]), average(n.settings[1]), rate(lane(n.learning_rate)) {}
  void operator()(Floats& p, Floats g, Floats* state) const {
    p = p - sign_of(toward(state[0], g)) * rate;
    state[0] = average(state[0], g);
  }
};

// ---- rates by the gradients' past --------------------------------------------------------------------------------

struct RmspropNames {
  static constexpr const char* list[] = {"decay", "epsilon", "momentum", "centered"};
};

/// RMSprop (Tieleman and Hinton 2012; centered: Graves 2013). Slots: mean square, [mean], [momentum].
template <bool centered, bool heavy>
struct Rmsprop {
  static constexpr int slots = 1 + centered + heavy;
  Average average;
  Floats epsilon, momentum, rate;
  explicit Rmsprop(const UpdateNumbers& n)
      : average(n.settings[0]),
        epsilon(lane(n.settings[1])),
        momentum(lane(n.settings[2])),
        rate(lane(n.learning_rate)) {}
  void operator()(Floats& p, Floats g, Floats* state) const {
    Floats spread = state[0] = average(state[0], g * g);
    if constexpr (centered) {
      state[1] = average(state[1], g);
      spread = maximum(spread - state[1] * state[1], zero());
    }
    Floats direction = g / (sqrt(spread) + epsilon);
    if constexpr (heavy) direction = state[slots - 1] = state[slots - 1] * momentum + direction;
    p = p - direction * rate;
  }
};

RunRule choose_rmsprop(const UpdateParameters& u, const UpdateNumbers&) {
  const bool centered = u.settings[3] != 0, heavy = u.settings[2] != 0;
  if (centered) return heavy ? run_rule<Rmsprop<true, true>> : run_rule<Rmsprop<true, false>>;
  return heavy ? run_rule<Rmsprop<false, true>> : run_rule<Rmsprop<false, false>>;
}

struct EpsilonNames {
  static constexpr const char* list[] = {"epsilon", "decay", nullptr};
};

/// Adagrad (Duchi et al. 2011).
struct Adagrad {
  static constexpr int slots = 1;
  Floats epsilon, rate;
  explicit Adagrad(const UpdateNumbers& n) : epsilon(lane(n.settings[0])), rate(lane(n.learning_rate)) {}
  void operator()(Floats& p, Floats g, Floats* state) const {
    state[0] = state[0] + g * g;
    p = p - g / (sqrt(state[0]) + epsilon) * rate;
  }
};

/// Adadelta (Zeiler 2012).
struct Adadelta {
  static constexpr int slots = 2;
  Average average;
  Floats epsilon, rate;
  explicit Adadelta(const UpdateNumbers& n)
      : average(n.settings[1]), epsilon(lane(n.settings[0])), rate(lane(n.learning_rate)) {}
  void operator()(Floats& p, Floats g, Floats* state) const {
    state[0] = average(state[0], g * g);
    const Floats change = sqrt((state[1] + epsilon) / (state[0] + epsilon)) * g;
    state[1] = average(state[1], change * change);
    p = p - change * rate;
  }
};

struct RpropNames {
  static constexpr const char* list[] = {"less", "more", "least", "most"};
};

/// Rprop (Riedmiller and Braun 1993). Slots: the slope before, the step sizes, which begin with the learning rate.
template <bool first>
struct Rprop {
  static constexpr int slots = 2;
  Floats less, more, least, most, rate;
  explicit Rprop(const UpdateNumbers& n)
      : less(lane(n.settings[0])),
        more(lane(n.settings[1])),
        least(lane(n.settings[2])),
        most(lane(n.settings[3])),
        rate(lane(n.learning_rate)) {}
  void operator()(Floats& p, Floats g, Floats* state) const {
    const Floats agreement = g * state[0];
    const Mask turned = agreement < zero();
    const Floats factor = select(turned, less, select(agreement > zero(), more, broadcast(1)));
    state[1] = minimum(maximum((first ? rate : state[1]) * factor, least), most);
    state[0] = select(turned, zero(), g);
    p = p - sign_of(state[0]) * state[1];
  }
};

RunRule choose_rprop(const UpdateParameters&, const UpdateNumbers& n) {
  return n.step <= 1 ? run_rule<Rprop<true>> : run_rule<Rprop<false>>;
}

template <typename Rule>
RunRule always(const UpdateParameters&, const UpdateNumbers&) {
  return run_rule<Rule>;
}

constexpr uint32_t float32 = dtype_bit(POLLUX_FLOAT32);
const Kernel kernels[] = {{{"sgdUpdate", float32, 0, nullptr}, prepare_update<SgdNames, choose_sgd>},
                          {{"adamUpdate", float32, 0, nullptr}, prepare_update<AdamNames, choose_adam>},
                          {{"nadamUpdate", float32, 0, nullptr}, prepare_update<AdamNames, always<NAdam>>},
                          {{"radamUpdate", float32, 0, nullptr}, prepare_update<AdamNames, always<RAdam>>},
                          {{"adamaxUpdate", float32, 0, nullptr}, prepare_update<AdamNames, always<Adamax>>},
                          {{"lionUpdate", float32, 0, nullptr}, prepare_update<LionNames, always<Lion>>},
                          {{"rmspropUpdate", float32, 0, nullptr}, prepare_update<RmspropNames, choose_rmsprop>},
                          {{"adagradUpdate", float32, 0, nullptr}, prepare_update<EpsilonNames, always<Adagrad>>},
                          {{"adadeltaUpdate", float32, 0, nullptr}, prepare_update<EpsilonNames, always<Adadelta>>},
                          {{"rpropUpdate", float32, 0, nullptr}, prepare_update<RpropNames, choose_rprop>}};

}  // namespace

namespace POLLUX_LEVEL {
extern const KernelTable optimizer_kernels;
const KernelTable optimizer_kernels = {kernels, sizeof kernels / sizeof kernels[0]};
}  // namespace POLLUX_LEVEL
}  // namespace pollux
