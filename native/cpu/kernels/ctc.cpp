// Connectionist temporal classification (Graves et al. 2006). The recursions run over logarithms in double: over
// hundreds of steps float32 would lose what the alignments differ by.
// ctc: x [N, T, C] log-probabilities, targets [N, S], input lengths [N], target lengths [N] -> loss [N].
// ctcGrad: dloss [N], then the same -> dx [N, T, C].
#include "../kernel.h"

namespace pollux {
namespace {

struct Ctc {
  int64_t samples, steps, classes, labels, places;  // places: labels with a blank before, between and behind them
  int32_t blank;
  int64_t slot_doubles;  // of scratch, a sample
};

/// One sample: its labels with blanks between them.
struct Path {
  const float* x;
  const int32_t* targets;
  int64_t steps, classes, length, places;
  int32_t blank;

  int64_t label(int64_t place) const { return place % 2 ? targets[place / 2] : blank; }
  double emitted(int64_t t, int64_t place) const { return static_cast<double>(x[t * classes + label(place)]); }
  /// Whether an alignment may go from place - 2 to place: not past a blank between equal labels.
  bool skips(int64_t place) const { return place % 2 && place > 1 && label(place) != label(place - 2); }
};

inline double log_sum(double a, double b) {
  const double most = a > b ? a : b, least = a > b ? b : a;
  return least == -INFINITY ? most : most + ::log1p(::exp(least - most));
}

/// False, and the status word set, where a label lies outside the classes.
inline bool read_path(const Prepared& prepared, const RunContext& context, int first, int64_t sample, Path* path) {
  const auto& p = parameters<Ctc>(prepared);
  const int32_t steps = input_data<int32_t>(prepared, context, first + 2)[sample];
  const int32_t length = input_data<int32_t>(prepared, context, first + 3)[sample];
  path->x = input_data<float>(prepared, context, first) + sample * p.steps * p.classes;
  path->targets = input_data<int32_t>(prepared, context, first + 1) + sample * p.labels;
  path->steps = max64(0, min64(steps, p.steps));
  path->length = max64(0, min64(length, p.labels));
  path->places = 2 * path->length + 1;
  path->classes = p.classes;
  path->blank = p.blank;
  for (int64_t i = 0; i < path->length; ++i) {
    if (path->targets[i] >= 0 && path->targets[i] < p.classes) continue;
    report(prepared, context, POLLUX_LABEL_OUT_OF_RANGE, sample, path->targets[i]);
    return false;
  }
  return true;
}

/// Logarithm of the probability to be at a place after a step, the step's emission included. `keep` is the distance of
/// the rows of two steps in `rows`: 0 overwrites them. Returns the logarithm of the likelihood.
inline double forward(const Path& path, double* rows, int64_t keep) {
  const int64_t places = path.places;
  double* row = rows;
  for (int64_t s = 0; s < places; ++s) row[s] = s ? -INFINITY : 0;
  for (int64_t t = 0; t < path.steps; ++t) {
    const double* before = row;
    row += keep;
    for (int64_t s = places; s-- > 0;) {  // from the end: a row may lie over the one before
      double sum = before[s];
      if (s > 0) sum = log_sum(sum, before[s - 1]);
      if (path.skips(s)) sum = log_sum(sum, before[s - 2]);
      row[s] = sum + path.emitted(t, s);
    }
  }
  return places > 1 ? log_sum(row[places - 1], row[places - 2]) : row[0];
}

void run_loss(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<Ctc>(prepared);
  float* loss = output_data<float>(prepared, context, 0);
  parallel(context, p.samples, [&](int64_t sample) {
    double* row = static_cast<double*>(context.scratch) + sample * p.slot_doubles;
    Path path;
    loss[sample] =
        read_path(prepared, context, 0, sample, &path) ? static_cast<float>(0 - forward(path, row, 0)) : 0.0f;
  });
}

/// d loss / d x = -(share of the alignments that emit the class at the step).
void run_gradient(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<Ctc>(prepared);
  const float* dloss = input_data<float>(prepared, context, 0);
  float* all = output_data<float>(prepared, context, 0);
  parallel(context, p.samples, [&](int64_t sample) {
    float* dx = all + sample * p.steps * p.classes;
    memset(dx, 0, static_cast<size_t>(p.steps * p.classes) * sizeof(float));
    Path path;
    if (!read_path(prepared, context, 1, sample, &path)) return;
    double* rows = static_cast<double*>(context.scratch) + sample * p.slot_doubles;
    double* behind = rows + (p.steps + 1) * p.places;  // ln of the probability of what follows a place
    double* shares = behind + p.places;                // of the classes, at one step
    const double total = forward(path, rows, p.places);
    if (total == -INFINITY) return;
    for (int64_t c = 0; c < p.classes; ++c) shares[c] = 0;
    for (int64_t s = 0; s < path.places; ++s) behind[s] = s + 2 < path.places ? -INFINITY : 0;
    for (int64_t t = path.steps; t-- > 0;) {
      const double* row = rows + (t + 1) * p.places;
      for (int64_t s = 0; s < path.places; ++s) {
        const double share = row[s] + behind[s] - total;
        if (share > -INFINITY) shares[path.label(s)] += ::exp(share);
      }
      for (int64_t s = 0; s < path.places; ++s) {
        float& slope = dx[t * p.classes + path.label(s)];
        double& share = shares[path.label(s)];
        if (share > 0) slope = static_cast<float>(-share * static_cast<double>(dloss[sample]));
        share = 0;
      }
      for (int64_t s = 0; s < path.places; ++s) {  // from the front: what follows lies at later places
        double sum = behind[s] + path.emitted(t, s);
        if (s + 1 < path.places) sum = log_sum(sum, behind[s + 1] + path.emitted(t, s + 1));
        if (s + 2 < path.places && path.skips(s + 2)) sum = log_sum(sum, behind[s + 2] + path.emitted(t, s + 2));
        behind[s] = sum;
      }
    }
  });
}

template <int first, void (*run)(const Prepared&, const RunContext&)>
PolluxResult prepare_ctc(const PolluxStep& step, Prepared* prepared) {
  auto* p = make_parameters<Ctc>(prepared);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  const PolluxOperand& x = input(step, first);
  p->samples = x.shape[0];
  p->steps = x.shape[1];
  p->classes = x.shape[2];
  p->labels = input(step, first + 1).shape[1];
  p->places = 2 * p->labels + 1;
  p->blank = static_cast<int32_t>(integer(step, "blank"));
  p->slot_doubles = round_up(first ? (p->steps + 2) * p->places + p->classes : p->places, 8);
  prepared->scratch_bytes = static_cast<uint64_t>(p->samples * p->slot_doubles) * sizeof(double);
  prepared->run = run;
  return POLLUX_SUCCESS;
}

constexpr uint32_t float32 = dtype_bit(POLLUX_FLOAT32);
const Kernel kernels[] = {{{"ctc", float32, 0, nullptr}, prepare_ctc<0, run_loss>},
                          {{"ctcGrad", float32, 0, nullptr}, prepare_ctc<1, run_gradient>}};

}  // namespace

namespace POLLUX_LEVEL {
extern const KernelTable ctc_kernels;
const KernelTable ctc_kernels = {kernels, sizeof kernels / sizeof kernels[0]};
}  // namespace POLLUX_LEVEL
}  // namespace pollux
