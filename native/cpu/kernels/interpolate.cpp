// resample2d: x [N,H,W,C] -> y [N,OH,OW,C], each output a weighted sum of a few pixels, first of rows, then of columns;
// and its adjoint resample2dGrad. Where a pixel reads from and with which weight is the same for all images and
// channels: two tables, one for each axis, are made at prepare. The adjoint runs the same loops over the tables turned
// round, so every pixel of dx gathers and no two threads write to one place.
#include "../kernel.h"
#include "../simd.h"
#include "gemm_slots.h"

namespace pollux {
namespace {

constexpr int kMostTaps = 4;  // of one output, but for the windows of "area"

struct Tap {
  int32_t place;
  float weight;
};

/// What the elements of one axis read: element i the taps begin[i] to begin[i + 1].
struct Table {
  int64_t size;
  int32_t* begin;
  Tap* taps;
};

struct Resample {
  int64_t rows, columns, channels;  ///< of the source
  Table down, across;               ///< of the target's rows and columns
  Chunks chunks;                    ///< of the rows of all targets
  SlotPlan slots;
};

/// One axis of the forward operation.
struct Axis {
  int64_t in, out;
  double ratio;  ///< input pixels for each output pixel
};

enum class Method { kNearest, kNearestExact, kBilinear, kBicubic, kArea };

Method method_of(const char* name) {
  if (strcmp(name, "nearest") == 0) return Method::kNearest;
  if (strcmp(name, "nearestExact") == 0) return Method::kNearestExact;
  if (strcmp(name, "bilinear") == 0) return Method::kBilinear;
  if (strcmp(name, "bicubic") == 0) return Method::kBicubic;
  return Method::kArea;
}

/// The cubic convolution kernel with A = -0.75 (Keys 1981) at distance `x`.
double cubic(double x) {
  constexpr double a = -0.75;
  x = ::fabs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/// Calls visit(place, weight) for each pixel that output `i` reads. Nearest rounds as PyTorch does, in float.
template <typename Visit>
void for_each_source(const Axis& axis, Method method, bool align, int64_t i, const Visit& visit) {
  const auto clamped = [&](int64_t place) { return max64(0, min64(place, axis.in - 1)); };
  const auto output = static_cast<double>(i);
  if (method == Method::kNearest || method == Method::kNearestExact) {
    const float at = static_cast<float>(i) + (method == Method::kNearest ? 0.0f : 0.5f);
    visit(clamped(static_cast<int64_t>(::floorf(at * static_cast<float>(axis.ratio)))), 1.0);
    return;
  }
  if (method == Method::kArea) {
    const int64_t begin = i * axis.in / axis.out, end = ceil_div((i + 1) * axis.in, axis.out);
    for (int64_t place = begin; place < end; ++place) visit(place, 1.0 / static_cast<double>(end - begin));
    return;
  }
  double at = align ? output * axis.ratio : (output + 0.5) * axis.ratio - 0.5;
  if (method == Method::kBilinear && at < 0) at = 0;
  const double below = ::floor(at), rest = at - below;
  const auto place = static_cast<int64_t>(below);
  if (method == Method::kBilinear) {
    visit(clamped(place), 1 - rest);
    visit(clamped(place + 1), rest);
    return;
  }
  for (int64_t k = -1; k <= 2; ++k) visit(clamped(place + k), cubic(rest - static_cast<double>(k)));
}

int64_t most_taps(const Axis& axis, Method method) {
  return method == Method::kArea ? axis.in + axis.out : kMostTaps * axis.out;
}

size_t table_bytes(const Axis& axis, Method method) {
  const auto size = static_cast<size_t>(max64(axis.in, axis.out) + 2);
  return sizeof(int32_t) * size + sizeof(int32_t) * 2 + sizeof(Tap) * static_cast<size_t>(most_taps(axis, method));
}

/// Fills the table of an axis at `memory` and returns what lies behind it. `turned`: that of the adjoint.
char* make_table(const Axis& axis, Method method, bool align, bool turned, char* memory, Table* table) {
  const int64_t size = turned ? axis.in : axis.out;
  table->size = size;
  table->begin = reinterpret_cast<int32_t*>(memory);
  table->taps = reinterpret_cast<Tap*>(memory + sizeof(int32_t) * static_cast<size_t>(round_up(size + 2, 2)));
  int32_t* next = table->begin + 1;  // shifted by one while the taps are filled in
  memset(table->begin, 0, sizeof(int32_t) * static_cast<size_t>(size + 2));
  for (int64_t i = 0; i < axis.out; ++i)
    for_each_source(axis, method, align, i, [&](int64_t place, double) { ++next[(turned ? place : i) + 1]; });
  for (int64_t i = 0; i <= size; ++i) table->begin[i + 1] += table->begin[i];
  for (int64_t i = 0; i < axis.out; ++i) {
    for_each_source(axis, method, align, i, [&](int64_t place, double weight) {
      Tap& tap = table->taps[next[turned ? place : i]++];
      tap = {static_cast<int32_t>(turned ? i : place), static_cast<float>(weight)};
    });
  }
  return memory + table_bytes(axis, method);
}

/// sum(c) over taps of weight * x(place * pitch + c), for c in [0, count).
void blend(const Tap* begin, const Tap* end, const float* x, int64_t pitch, int64_t count, float* sum) {
  for_each_vector(count, [&](int64_t c, int n) {
    Floats total = zero();
    for (const Tap* tap = begin; tap < end; ++tap)
      total = total + load_some(x + tap->place * pitch + c, n) * broadcast(tap->weight);
    store_some(sum + c, total, n);
  });
}

void run_resample(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<Resample>(prepared);
  const float* x = input_data<float>(prepared, context, 0);
  float* y = output_data<float>(prepared, context, 0);
  const int64_t row_size = p.columns * p.channels, target_row = p.across.size * p.channels;
  ScratchSlots slots(static_cast<float*>(context.scratch), p.slots);
  parallel(context, p.chunks.count, [&](int64_t chunk) {
    float* blended = slots.borrow();  // rows of the source, mixed for one row of the target
    for (int64_t row = p.chunks.begin(chunk); row < p.chunks.end(chunk); ++row) {
      const float* image = x + row / p.down.size * p.rows * row_size;
      const int32_t* down = p.down.begin + row % p.down.size;
      blend(p.down.taps + down[0], p.down.taps + down[1], image, row_size, row_size, blended);
      for (int64_t column = 0; column < p.across.size; ++column) {
        const int32_t* across = p.across.begin + column;
        blend(p.across.taps + across[0], p.across.taps + across[1], blended, p.channels, p.channels,
              y + row * target_row + column * p.channels);
      }
    }
    slots.give_back(blended);
  });
}

PolluxResult prepare(const PolluxStep& step, const PolluxOperand& image, const PolluxOperand& resampled, bool turned,
                     Prepared* prepared) {
  const Method method = method_of(text(step, "method"));
  const bool align = boolean(step, "alignCorners");
  const PolluxAttribute* ratio = find_attribute(step, "ratio");
  const Axis down{image.shape[1], resampled.shape[1], ratio ? ratio->numbers[0] : 1};
  const Axis across{image.shape[2], resampled.shape[2], ratio ? ratio->numbers[1] : 1};
  const PolluxOperand &source = input(step, 0), &target = output(step, 0);
  auto* p = make_parameters<Resample>(prepared, table_bytes(down, method) + table_bytes(across, method));
  if (!p) return POLLUX_OUT_OF_MEMORY;
  prepared->run = run_resample;
  if (element_count(target) == 0) return POLLUX_SUCCESS;
  p->rows = source.shape[1];
  p->columns = source.shape[2];
  p->channels = source.shape[3];
  char* memory = reinterpret_cast<char*>(p + 1);
  memory = make_table(down, method, align, turned, memory, &p->down);
  make_table(across, method, align, turned, memory, &p->across);
  p->chunks = plan_chunks(target.shape[0] * target.shape[1],
                          ceil_div(1 << 13, max64(1, target.shape[2] * target.shape[3])), 128);
  p->slots = plan_slots(round_up(p->columns * p->channels, 16), p->chunks.count);
  prepared->scratch_bytes = 4 * static_cast<uint64_t>(p->slots.floats());
  return POLLUX_SUCCESS;
}

PolluxResult prepare_forward(const PolluxStep& step, Prepared* prepared) {
  return prepare(step, input(step, 0), output(step, 0), false, prepared);
}

PolluxResult prepare_gradient(const PolluxStep& step, Prepared* prepared) {
  return prepare(step, output(step, 0), input(step, 0), true, prepared);
}

constexpr uint32_t float32 = dtype_bit(POLLUX_FLOAT32);
const Kernel kernels[] = {{{"resample2d", float32, 0, nullptr}, prepare_forward},
                          {{"resample2dGrad", float32, 0, nullptr}, prepare_gradient}};

}  // namespace

namespace POLLUX_LEVEL {
extern const KernelTable interpolate_kernels;
const KernelTable interpolate_kernels = {kernels, sizeof kernels / sizeof kernels[0]};
}  // namespace POLLUX_LEVEL
}  // namespace pollux
