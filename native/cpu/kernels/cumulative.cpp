// Running results along one axis: sums, products, extremes with their places, and the recurrence y = a y' + b. A row
// that is long is cut into segments: first the total of each, then each again from what lies before it. Floats are
// accumulated in double.
#include "../kernel.h"

namespace pollux::POLLUX_LEVEL {
namespace {

/// x seen as [outer, length, inner].
struct Running {
  int64_t outer, length, inner;
  bool reverse, exclusive;
  Chunks segments;  // of one row; more than one only where rows are few and long
  Chunks tasks;     // of rows, or of blocks of neighbouring columns
};

constexpr int64_t block = 128;  // columns that go side by side

template <typename T>
struct Wide {
  using Type = T;
};
template <>
struct Wide<float> {
  using Type = double;
};

// A rule says how one element extends a running state (`take`), how a segment that began from nothing continues one
// (`join`), and what is written. `e` is the element's place in memory, `i` its index along the axis.

template <typename T>
struct Sum {
  using State = typename Wide<T>::Type;
  const T* x;
  T* y;
  Sum(const Prepared& p, const RunContext& c) : x(input_data<T>(p, c, 0)), y(output_data<T>(p, c, 0)) {}
  static State start() { return 0; }
  State take(State s, int64_t e, int64_t) const { return s + static_cast<State>(x[e]); }
  static State join(State s, State segment) { return s + segment; }
  void put(int64_t e, State s) const { y[e] = static_cast<T>(s); }
};

template <typename T>
struct Product {
  using State = typename Wide<T>::Type;
  const T* x;
  T* y;
  Product(const Prepared& p, const RunContext& c) : x(input_data<T>(p, c, 0)), y(output_data<T>(p, c, 0)) {}
  static State start() { return 1; }
  State take(State s, int64_t e, int64_t) const { return s * static_cast<State>(x[e]); }
  static State join(State s, State segment) { return s * segment; }
  void put(int64_t e, State s) const { y[e] = static_cast<T>(s); }
};

/// Of equals the last; a NaN beats every number, and of NaNs the last.
template <typename T, bool largest>
struct Extreme {
  struct State {
    T value;
    int32_t place;  // -1: nothing yet
  };
  const T* x;
  T* y;
  int32_t* places;
  Extreme(const Prepared& p, const RunContext& c)
      : x(input_data<T>(p, c, 0)), y(output_data<T>(p, c, 0)), places(output_data<int32_t>(p, c, 1)) {}
  static State start() { return {least(), -1}; }
  static T least() {
    if constexpr (T(0.5) != 0) return largest ? -INFINITY : INFINITY;
    constexpr T top = sizeof(T) == 4 ? T(INT32_MAX) : T(INT64_MAX);
    return largest ? -top - 1 : top;
  }
  // Every number is at least the least, and a NaN is unequal to itself; so none of this branches.
  static State join(State s, State later) {
    const bool wins =
        (largest ? later.value >= s.value : later.value <= s.value) | static_cast<int>(later.value != later.value);
    return {wins ? later.value : s.value, wins ? later.place : s.place};
  }
  State take(State s, int64_t e, int64_t i) const { return join(s, {x[e], static_cast<int32_t>(i)}); }
  void put(int64_t e, State s) const { y[e] = s.value, places[e] = s.place; }
};

struct Recurrence {
  struct State {
    double slope, value;  // y = slope * (y before the segment) + value
  };
  const float *a, *b;
  float* y;
  Recurrence(const Prepared& p, const RunContext& c)
      : a(input_data<float>(p, c, 0)), b(input_data<float>(p, c, 1)), y(output_data<float>(p, c, 0)) {}
  static State start() { return {1, 0}; }
  State take(State s, int64_t e, int64_t) const { return {s.slope * a[e], s.value * a[e] + b[e]}; }
  // A slope may overflow where nothing is to be scaled by it.
  static State join(State s, State segment) {
    return {s.slope * segment.slope, s.value == 0 ? segment.value : s.value * segment.slope + segment.value};
  }
  void put(int64_t e, State s) const { y[e] = static_cast<float>(s.value); }
};

/// Goes on from a state over elements [begin, end) of one line of stride `inner`, writing on the way.
template <typename Rule>
inline typename Rule::State walk(const Rule& rule, const Running& p, typename Rule::State state, int64_t line,
                                 int64_t begin, int64_t end, bool writes) {
  for (int64_t step = begin; step < end; ++step) {
    const int64_t i = p.reverse ? p.length - 1 - step : step, e = line + i * p.inner;
    const auto next = rule.take(state, e, i);
    if (writes) rule.put(e, p.exclusive ? state : next);
    state = next;
  }
  return state;
}

/// The same for an extreme along memory. Records are rare in long rows: a block without one is found by comparisons
/// that do not wait for each other, and filled.
template <typename T, bool largest>
inline typename Extreme<T, largest>::State walk(const Extreme<T, largest>& rule, const Running& p,
                                                typename Extreme<T, largest>::State state, int64_t line, int64_t begin,
                                                int64_t end, bool writes) {
  constexpr int64_t some = 64;
  for (int64_t first = begin; first < end; first += some) {
    const int64_t count = min64(some, end - first), low = p.reverse ? p.length - first - count : first;
    const int64_t at = line + low;
    bool changes = p.inner != 1 || p.exclusive || count < some;
    if (!changes) {
      int found = 0;
      for (int64_t j = 0; j < some; ++j) {
        const T x = rule.x[at + j];
        found |= static_cast<int>(largest ? x >= state.value : x <= state.value) | static_cast<int>(x != x);
      }
      changes = found != 0;
    }
    if (changes) {
      state = walk<Extreme<T, largest>>(rule, p, state, line, first, first + count, writes);
    } else if (writes) {
      for (int64_t j = 0; j < some; ++j) rule.y[at + j] = state.value;
      for (int64_t j = 0; j < some; ++j) rule.places[at + j] = state.place;
    }
  }
  return state;
}

template <typename Rule>
void run(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<Running>(prepared);
  using State = typename Rule::State;
  const Rule rule(prepared, context);
  if (p.segments.count > 1) {
    auto* totals = static_cast<State*>(context.scratch);
    for (int64_t row = 0; row < p.outer; ++row) {
      const int64_t line = row * p.length;
      parallel(context, p.segments.count, [&](int64_t s) {
        totals[s] = walk(rule, p, Rule::start(), line, p.segments.begin(s), p.segments.end(s), false);
      });
      State before = Rule::start();
      for (int64_t s = 0; s < p.segments.count; ++s) {
        const State total = totals[s];
        totals[s] = before;
        before = Rule::join(before, total);
      }
      parallel(context, p.segments.count,
               [&](int64_t s) { walk(rule, p, totals[s], line, p.segments.begin(s), p.segments.end(s), true); });
    }
    return;
  }
  if (p.inner == 1) {
    parallel(context, p.tasks.count, [&](int64_t chunk) {
      for (int64_t row = p.tasks.begin(chunk); row < p.tasks.end(chunk); ++row)
        walk(rule, p, Rule::start(), row * p.length, 0, p.length, true);
    });
    return;
  }
  const int64_t blocks = ceil_div(p.inner, block);
  parallel(context, p.tasks.count, [&](int64_t chunk) {
    for (int64_t task = p.tasks.begin(chunk); task < p.tasks.end(chunk); ++task) {
      const int64_t first = task % blocks * block, width = min64(block, p.inner - first);
      State states[block];
      for (int64_t j = 0; j < width; ++j) states[j] = Rule::start();
      for (int64_t step = 0; step < p.length; ++step) {
        const int64_t i = p.reverse ? p.length - 1 - step : step;
        const int64_t e = (task / blocks * p.length + i) * p.inner + first;
        for (int64_t j = 0; j < width; ++j) {
          const State next = rule.take(states[j], e + j, i);
          rule.put(e + j, p.exclusive ? states[j] : next);
          states[j] = next;
        }
      }
    }
  });
}

template <typename Rule>
PolluxResult prepare_rule(const PolluxStep& step, Prepared* prepared) {
  auto* p = make_parameters<Running>(prepared);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  const PolluxOperand& x = input(step, 0);
  const int axis = static_cast<int>(integer(step, "axis"));
  p->outer = extent(x, 0, axis);
  p->length = x.shape[axis];
  p->inner = extent(x, axis + 1, x.rank);
  p->reverse = boolean(step, "reverse");
  p->exclusive = boolean(step, "exclusive");
  const bool splits = p->inner == 1 && p->outer < 8 && p->length >= 131072;
  p->segments = splits ? plan_chunks(p->length, 32768, 32) : Chunks{p->length, p->length, 1};
  const int64_t tasks = p->inner == 1 ? p->outer : p->outer * ceil_div(p->inner, block);
  p->tasks = plan_chunks(tasks, ceil_div(16384, max64(1, p->length * min64(p->inner, block))));
  if (splits) prepared->scratch_bytes = static_cast<uint64_t>(p->segments.count) * sizeof(typename Rule::State);
  prepared->run = run<Rule>;
  return POLLUX_SUCCESS;
}

// Integers wrap: they are computed unsigned.
template <template <typename> class Rule>
PolluxResult prepare_fold(const PolluxStep& step, Prepared* prepared) {
  switch (input(step, 0).dtype) {
    case POLLUX_FLOAT32:
      return prepare_rule<Rule<float>>(step, prepared);
    case POLLUX_INT32:
      return prepare_rule<Rule<uint32_t>>(step, prepared);
    case POLLUX_INT64:
      return prepare_rule<Rule<uint64_t>>(step, prepared);
    default:
      return POLLUX_UNSUPPORTED;
  }
}

template <bool largest>
PolluxResult prepare_extreme(const PolluxStep& step, Prepared* prepared) {
  switch (input(step, 0).dtype) {
    case POLLUX_FLOAT32:
      return prepare_rule<Extreme<float, largest>>(step, prepared);
    case POLLUX_INT32:
      return prepare_rule<Extreme<int32_t, largest>>(step, prepared);
    case POLLUX_INT64:
      return prepare_rule<Extreme<int64_t, largest>>(step, prepared);
    default:
      return POLLUX_UNSUPPORTED;
  }
}

constexpr uint32_t computed = dtype_bit(POLLUX_FLOAT32) | dtype_bit(POLLUX_INT32) | dtype_bit(POLLUX_INT64);

const Kernel kernels[] = {
    {{"cumulativeSum", computed, 0, nullptr}, prepare_fold<Sum>},
    {{"cumulativeProduct", computed, 0, nullptr}, prepare_fold<Product>},
    {{"cumulativeMax", computed, 0, nullptr}, prepare_extreme<true>},
    {{"cumulativeMin", computed, 0, nullptr}, prepare_extreme<false>},
    {{"linearRecurrence", dtype_bit(POLLUX_FLOAT32), 0, nullptr}, prepare_rule<Recurrence>},
};

}  // namespace

extern const KernelTable cumulative_kernels = {kernels, sizeof kernels / sizeof kernels[0]};

}  // namespace pollux::POLLUX_LEVEL
