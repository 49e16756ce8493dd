// uniform, normal and dropout from Philox4x32-10 (Salmon et al. 2011), as docs/internals.md, section 3, lays down:
// element E of a draw depends on (seed, step, stream, E) alone, so any cut of the work gives the same numbers.
#include "../philox.h"
#include "../simd_math.h"

namespace pollux::POLLUX_LEVEL {
namespace {

struct Random {
  Chunks chunks;  // of elements
  uint32_t stream;
  float rate, scale;  // dropout
};

// Box and Muller (1958): elements 2k and 2k + 1 share a radius.
inline void to_normal(const uint32_t* words, float* values) {
  float uniform[philox_block], radius[philox_block / 2], angle[philox_block / 2], cosine[philox_block / 2],
      sine[philox_block / 2];
  to_uniform(words, uniform);
  for (int i = 0; i < philox_block / 2; ++i)
    radius[i] = 1.0f - uniform[2 * i], angle[i] = 6.283185307f * uniform[2 * i + 1];
  for (int i = 0; i < philox_block / 2; i += lanes) {
    const Floats r = sqrt(broadcast(-2.0f) * log(load(radius + i))), turn = load(angle + i);
    store(cosine + i, r * cos(turn));
    store(sine + i, r * sin(turn));
  }
  for (int i = 0; i < philox_block / 2; ++i) values[2 * i] = cosine[i], values[2 * i + 1] = sine[i];
}

template <void (*convert)(const uint32_t*, float*)>
void run_draw(const Prepared& prepared, const RunContext& context) {
  const Random& p = parameters<Random>(prepared);
  const RandomState state = read_state(input_data<int64_t>(prepared, context, 0), p.stream);
  float* y = output_data<float>(prepared, context, 0);
  parallel(context, p.chunks.count, [&](int64_t chunk) {
    draw<convert>(state, p.chunks.begin(chunk), p.chunks.end(chunk),
                  [&](int64_t first, int64_t count, const float* values) {
                    memcpy(y + first, values, static_cast<size_t>(count) * sizeof(float));
                  });
  });
}

void run_dropout(const Prepared& prepared, const RunContext& context) {
  const Random& p = parameters<Random>(prepared);
  const float* x = input_data<float>(prepared, context, 0);
  const RandomState state = read_state(input_data<int64_t>(prepared, context, 1), p.stream);
  float* y = output_data<float>(prepared, context, 0);
  parallel(context, p.chunks.count, [&](int64_t chunk) {
    draw<to_uniform>(state, p.chunks.begin(chunk), p.chunks.end(chunk),
                     [&](int64_t first, int64_t count, const float* values) {
#pragma GCC ivdep
                       for (int64_t i = 0; i < count; ++i) {  // y may be x
                         const float scaled = x[first + i] * p.scale;
                         y[first + i] = values[i] >= p.rate ? scaled : 0.0f;
                       }
                     });
  });
}

PolluxResult prepare_with(const PolluxStep& step, Prepared* prepared, void (*run)(const Prepared&, const RunContext&)) {
  Random* p = make_parameters<Random>(prepared);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  p->chunks = plan_chunks(element_count(output(step, 0)), 16384);
  p->stream = static_cast<uint32_t>(number(step, "stream"));
  const double rate = number(step, "rate");
  p->rate = static_cast<float>(rate);
  p->scale = static_cast<float>(1 / (1 - rate));
  prepared->run = run;
  return POLLUX_SUCCESS;
}

PolluxResult prepare_uniform(const PolluxStep& step, Prepared* prepared) {
  return prepare_with(step, prepared, run_draw<to_uniform>);
}
PolluxResult prepare_normal(const PolluxStep& step, Prepared* prepared) {
  return prepare_with(step, prepared, run_draw<to_normal>);
}
PolluxResult prepare_dropout(const PolluxStep& step, Prepared* prepared) {
  return prepare_with(step, prepared, run_dropout);
}

// The first input of a draw is its state.
const Kernel kernels[] = {{{"uniform", dtype_bit(POLLUX_INT64), 0, nullptr}, prepare_uniform},
                          {{"normal", dtype_bit(POLLUX_INT64), 0, nullptr}, prepare_normal},
                          {{"dropout", dtype_bit(POLLUX_FLOAT32), 0, nullptr}, prepare_dropout}};

}  // namespace

extern const KernelTable random_kernels = {kernels, 3};

}  // namespace pollux::POLLUX_LEVEL
