// What the parameter updates share: one loop over memory in which a rule changes one vector of elements.
//
// Operands: the parameter, its gradient, the rule's slots, [accumulated], [slow], then numbers: learningRate, step,
// scale, the rule's own, [due]. Outputs: the parameter, the slots, [accumulated], [slow]. Numbers are read on the
// device at run time, so that a plan is never rebuilt for them. Outputs may be the inputs (the normal case) or other
// memory; elements are read before they are written.
#pragma once
#include "../kernel.h"
#include "../simd.h"

namespace pollux {
namespace {

constexpr int64_t update_grain = 1 << 15;  // parameters: about 20 microseconds of memory traffic
constexpr int64_t most_update_chunks = 512;
constexpr int most_held = 5;  // three slots, the accumulated gradients, the slow weights
constexpr int most_settings = 4;

/// What prepare() reads of a step.
struct UpdateParameters {
  Chunks chunks;
  double weight_decay, clip_value, l1, alpha;
  double settings[most_settings];  // the rule's attributes, in the order of its names
  int64_t lookahead;               // steps between two meetings with the slow weights; 0: there are none
  int held;                        // tensors beside parameter and gradient
  int slots;                       // of these the rule's
  bool decoupled, accumulates;
};

/// The numbers of one run that a rule may read.
struct UpdateNumbers {
  const double* settings;
  double learning_rate, step;
  float own[2];
};

/// Where the tensors of one run lie.
struct UpdateMemory {
  const float* p;
  const float* g;
  const float* held[most_held];
  float* new_p;
  float* new_held[most_held];
};

/// What is done around the rule, every lane the same.
struct UpdateFrame {
  Floats scale, clip, l1, alpha;
  Floats decay;  ///< l2: weightDecay; decoupled: 1 - learningRate * weightDecay
  bool accumulates, clips, penalises, decays, shrinks;
  bool begins;  ///< the slow weights begin where the parameter stands
  bool meets;   ///< the slow weights go a part of the way, and the parameter begins again from there
};

inline Floats lane(double x) {
  return broadcast(static_cast<float>(x));
}
/// -1, 0 or 1; NaN of NaN.
inline Floats sign_of(Floats x) {
  return select((x == zero()) | is_nan(x), x, copy_sign(broadcast(1), x));
}

/// `framed`: more than the rule and weight decay is asked for. Without it a loop of one lane has no branches, and the
/// compiler makes vectors of it.
template <bool framed, typename Rule>
void update_range(const Rule& given_rule, const UpdateFrame& given_frame, const UpdateMemory& m, int slots,
                  int64_t begin, int64_t end) {
  // Copies, which no store can change: they stay in registers. No prefetch and no streaming stores: the plain loop runs
  // at the speed of a loop that only moves the bytes.
  const Rule rule = given_rule;
  const UpdateFrame f = given_frame;
  const float *p = m.p, *g = m.g, *held[most_held];
  float *new_p = m.new_p, *new_held[most_held];
  for (int k = 0; k < most_held; ++k) held[k] = m.held[k], new_held[k] = m.new_held[k];
  const float* sum = held[slots];
  float* new_sum = new_held[slots];
  const int slow_at = slots + f.accumulates;
  const float* slow = slow_at < most_held ? held[slow_at] : nullptr;
  float* new_slow = slow_at < most_held ? new_held[slow_at] : nullptr;
  const bool keeps_slow = f.begins | f.meets;

  for_each_vector(end - begin, [&](int64_t offset, int n) {
    const int64_t i = begin + offset;
    const Floats before = load_some(p + i, n);
    Floats weight = before, slope = load_some(g + i, n), state[Rule::slots > 0 ? Rule::slots : 1];
    for (int k = 0; k < Rule::slots; ++k) state[k] = load_some(held[k] + i, n);
    if (framed && f.accumulates) slope = load_some(sum + i, n) + slope;
    slope = slope * f.scale;
    if (framed && f.clips) slope = minimum(maximum(slope, negate(f.clip)), f.clip);
    if (framed && f.penalises) slope = slope + sign_of(before) * f.l1;
    if (f.decays) slope = slope + f.decay * before;
    if (f.shrinks) weight = weight * f.decay;
    rule(weight, slope, state);
    if (framed && keeps_slow) {
      Floats anchor = f.begins ? before : load_some(slow + i, n);
      if (f.meets) weight = anchor = anchor + (weight - anchor) * f.alpha;
      store_some(new_slow + i, anchor, n);
    }
    store_some(new_p + i, weight, n);
    for (int k = 0; k < Rule::slots; ++k) store_some(new_held[k] + i, state[k], n);
    if (framed && f.accumulates) store_some(new_sum + i, zero(), n);
  });
}

inline void copy_range(const float* from, float* to, int64_t begin, int64_t end) {
  if (from != to) memcpy(to + begin, from + begin, static_cast<size_t>(end - begin) * sizeof(float));
}

/// A call that only accumulates: in place the parameter and its state are not touched.
inline void accumulate_range(const UpdateParameters& u, const UpdateMemory& m, int64_t begin, int64_t end) {
  copy_range(m.p, m.new_p, begin, end);
  for (int k = 0; k < u.held; ++k)
    if (k != u.slots) copy_range(m.held[k], m.new_held[k], begin, end);
  const float *sum = m.held[u.slots], *g = m.g;
  float* new_sum = m.new_held[u.slots];
  for_each_vector(end - begin, [&](int64_t offset, int n) {
    const int64_t i = begin + offset;
    store_some(new_sum + i, load_some(sum + i, n) + load_some(g + i, n), n);
  });
}

template <typename Rule>
void run_rule(const UpdateParameters& u, const UpdateNumbers& numbers, const UpdateFrame& frame, const UpdateMemory& m,
              const RunContext& context) {
  const Rule rule(numbers);
  const bool framed = frame.accumulates | frame.clips | frame.penalises | frame.begins | frame.meets;
  parallel(context, u.chunks.count, [&](int64_t chunk) {
    const int64_t begin = u.chunks.begin(chunk), end = u.chunks.end(chunk);
    (framed ? update_range<true, Rule> : update_range<false, Rule>)(rule, frame, m, u.slots, begin, end);
    // Slow weights that are far from a meeting stay as they are.
    if (u.lookahead && !frame.begins && !frame.meets)
      copy_range(m.held[u.held - 1], m.new_held[u.held - 1], begin, end);
  });
}

using RunRule = void (*)(const UpdateParameters&, const UpdateNumbers&, const UpdateFrame&, const UpdateMemory&,
                         const RunContext&);

/// Runs the rule that `choose` names, which it may do by the attributes and the step's number.
template <RunRule (*choose)(const UpdateParameters&, const UpdateNumbers&)>
void run_update(const Prepared& prepared, const RunContext& context) {
  const auto& u = parameters<UpdateParameters>(prepared);
  UpdateMemory m = {};
  m.p = input_data<float>(prepared, context, 0);
  m.g = input_data<float>(prepared, context, 1);
  m.new_p = output_data<float>(prepared, context, 0);
  for (int k = 0; k < u.held; ++k) {
    if (element_count(input(*prepared.step, 2 + k)) == 0) continue;  // a buffer that the rule does without
    m.held[k] = input_data<float>(prepared, context, 2 + k);
    m.new_held[k] = output_data<float>(prepared, context, 1 + k);
  }
  const int inputs = prepared.step->input_count, first = 2 + u.held;
  const auto scalar = [&](int i) { return i < inputs ? *input_data<float>(prepared, context, i) : 0; };
  if (u.accumulates && scalar(inputs - 1) == 0) {
    parallel(context, u.chunks.count,
             [&](int64_t chunk) { accumulate_range(u, m, u.chunks.begin(chunk), u.chunks.end(chunk)); });
    return;
  }
  const UpdateNumbers numbers = {u.settings, scalar(first), scalar(first + 1), {scalar(first + 3), scalar(first + 4)}};
  UpdateFrame frame = {};
  frame.scale = broadcast(scalar(first + 2));
  frame.clip = lane(u.clip_value);
  frame.l1 = lane(u.l1);
  frame.alpha = lane(u.alpha);
  frame.decay = lane(u.decoupled ? 1 - numbers.learning_rate * u.weight_decay : u.weight_decay);
  frame.accumulates = u.accumulates;
  frame.clips = u.clip_value > 0;
  frame.penalises = u.l1 != 0;
  frame.decays = u.weight_decay != 0 && !u.decoupled;
  frame.shrinks = u.weight_decay != 0 && u.decoupled;
  frame.begins = u.lookahead && numbers.step <= 1;
  frame.meets = u.lookahead && static_cast<int64_t>(numbers.step) % u.lookahead == 0;
  choose(u, numbers)(u, numbers, frame, m, context);
}

/// Reads the step; `names` are those of the rule's attributes.
template <typename Names, RunRule (*choose)(const UpdateParameters&, const UpdateNumbers&)>
PolluxResult prepare_update(const PolluxStep& step, Prepared* prepared) {
  auto* u = make_parameters<UpdateParameters>(prepared);
  if (!u) return POLLUX_OUT_OF_MEMORY;
  u->chunks = plan_chunks(element_count(input(step, 0)), update_grain, most_update_chunks);
  u->weight_decay = number(step, "weightDecay");
  u->decoupled = boolean(step, "decoupled");
  u->clip_value = number(step, "clipValue");
  u->l1 = number(step, "l1");
  u->alpha = number(step, "alpha");
  u->lookahead = integer(step, "lookahead");
  u->accumulates = boolean(step, "accumulates");
  u->held = step.output_count - 1;
  u->slots = u->held - u->accumulates - (u->lookahead > 0);
  if (u->held > most_held || u->slots < 0) return POLLUX_UNSUPPORTED;
  for (int i = 0; i < most_settings && Names::list[i]; ++i) u->settings[i] = number(step, Names::list[i]);
  prepared->run = run_update<choose>;
  return POLLUX_SUCCESS;
}

}  // namespace
}  // namespace pollux
