// rotary: pairs of numbers of each head, turned by an angle that grows with the row's place. The angle is computed and
// brought into one turn in double, so that far places lose nothing; sines and cosines serve all heads of a row.
#include "../kernel.h"
#include "../simd_math.h"
#include "gemm_slots.h"

namespace pollux::POLLUX_LEVEL {
namespace {

struct Rotary {
  int64_t batch, length, heads, size;
  int64_t stride[4];
  int64_t half;
  bool interleaved, inverse, wide;  // wide: places are int64
  int64_t place_stride;
  Chunks chunks;  // of rows of all samples
  SlotPlan slots;
  double frequency[];
};

void tabulate(const Rotary& p, int64_t place, float* cosine, float* sine) {
  constexpr double turn = 6.283185307179586476925;
  for (int64_t i = 0; i < p.half; ++i) {
    const double angle = static_cast<double>(place) * p.frequency[i];
    sine[i] = static_cast<float>(angle - turn * __builtin_rint(angle / turn));
  }
  for_each_vector(p.half, [&](int64_t i, int n) {
    const Floats angle = load_some(sine + i, n);
    const Floats s = sin(angle);
    store_some(cosine + i, cos(angle), n);
    store_some(sine + i, p.inverse ? negate(s) : s, n);
  });
}

// One head. The pairs are (x[i a], x[i a + b]).
void turn_head(const Rotary& p, const float* x, const float* cosine, const float* sine, float* y) {
  const int64_t a = p.interleaved ? 2 : 1, b = p.interleaved ? 1 : p.half, e = p.stride[3];
  for (int64_t i = 0; i < p.half; ++i) {
    const float u = x[i * a * e], v = x[(i * a + b) * e];
    y[i * a] = u * cosine[i] - v * sine[i];
    y[i * a + b] = v * cosine[i] + u * sine[i];
  }
  for (int64_t d = 2 * p.half; d < p.size; ++d) y[d] = x[d * e];
}

void run(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<Rotary>(prepared);
  const float* x = input_data<float>(prepared, context, 0);
  float* y = output_data<float>(prepared, context, 0);
  ScratchSlots slots(static_cast<float*>(context.scratch), p.slots);
  parallel(context, p.chunks.count, [&](int64_t chunk) {
    float* cosine = slots.borrow();
    for (int64_t row = p.chunks.begin(chunk); row < p.chunks.end(chunk); ++row) {
      const int64_t b = row / p.length, t = row % p.length;
      const int64_t place = p.wide ? input_data<int64_t>(prepared, context, 1)[b * p.place_stride]
                                   : input_data<int32_t>(prepared, context, 1)[b * p.place_stride];
      tabulate(p, place + t, cosine, cosine + p.half);
      for (int64_t head = 0; head < p.heads; ++head)
        turn_head(p, x + b * p.stride[0] + t * p.stride[1] + head * p.stride[2], cosine, cosine + p.half,
                  y + (row * p.heads + head) * p.size);
    }
    slots.give_back(cosine);
  });
}

PolluxResult prepare(const PolluxStep& step, Prepared* prepared) {
  const int64_t half = integer(step, "dimension") / 2;
  auto* p = make_parameters<Rotary>(prepared, static_cast<size_t>(half) * sizeof(double));
  if (!p) return POLLUX_OUT_OF_MEMORY;
  const PolluxOperand& x = input(step, 0);
  p->batch = x.shape[0], p->length = x.shape[1], p->heads = x.shape[2], p->size = x.shape[3];
  memcpy(p->stride, x.stride, sizeof p->stride);
  p->half = half;
  p->interleaved = boolean(step, "interleaved"), p->inverse = boolean(step, "inverse");
  p->wide = input(step, 1).dtype == POLLUX_INT64;
  p->place_stride = input(step, 1).stride[0];
  const double base = number(step, "base");
  for (int64_t i = 0; i < half; ++i) p->frequency[i] = ::pow(base, -static_cast<double>(i) / static_cast<double>(half));
  p->chunks = plan_chunks(p->batch * p->length, ceil_div(16384, max64(1, p->heads * p->size)), 256);
  p->slots = plan_slots(round_up(2 * half, 16), p->chunks.count);
  prepared->scratch_bytes = 4 * static_cast<uint64_t>(p->slots.floats());
  prepared->run = run;
  return POLLUX_SUCCESS;
}

const Kernel kernels[] = {
    {{"rotary", dtype_bit(POLLUX_FLOAT32), POLLUX_STRIDED_INPUTS, nullptr}, prepare},
};

}  // namespace

extern const KernelTable attention_rotary_kernels = {kernels, 1};

}  // namespace pollux::POLLUX_LEVEL
