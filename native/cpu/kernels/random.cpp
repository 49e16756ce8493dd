// uniform, normal and dropout from Philox4x32-10 (Salmon et al. 2011), as docs/internals.md, section 3, lays down:
// element E of a draw depends on (seed, step, stream, E) alone, so any cut of the work gives the same numbers.
#include "../kernel.h"
#include "../simd_math.h"

namespace pollux::POLLUX_LEVEL {
namespace {

constexpr int counters = 16;  // computed side by side
constexpr int block = 4 * counters;

struct Random {
  Chunks chunks;  // of elements
  uint32_t stream;
  float rate, scale;  // dropout
};

struct State {
  uint32_t key[2];
  uint32_t step[2];
  int64_t first;
};

inline State read_state(const int64_t* state, uint32_t stream) {
  const uint64_t seed = static_cast<uint64_t>(state[0]), step = static_cast<uint64_t>(state[1]);
  const uint32_t low = static_cast<uint32_t>(seed), high = static_cast<uint32_t>(seed >> 32);
  return {
      {low ^ high * 0x9E3779B9u, stream}, {static_cast<uint32_t>(step), static_cast<uint32_t>(step >> 32)}, state[2]};
}

// words[4 j + w] is word w of counter `from` + j.
inline void philox(const State& state, uint64_t from, uint32_t* words) {
  uint32_t a[counters], b[counters], c[counters], d[counters];
  for (int j = 0; j < counters; ++j) {
    const uint64_t counter = from + static_cast<uint64_t>(j);
    a[j] = static_cast<uint32_t>(counter);
    b[j] = static_cast<uint32_t>(counter >> 32);
    c[j] = state.step[0];
    d[j] = state.step[1];
  }
  uint32_t key0 = state.key[0], key1 = state.key[1];
  for (int round = 0; round < 10; ++round) {
    for (int j = 0; j < counters; ++j) {
      const uint64_t p = uint64_t{0xD2511F53u} * a[j], q = uint64_t{0xCD9E8D57u} * c[j];
      const uint32_t b_now = b[j], d_now = d[j];
      a[j] = static_cast<uint32_t>(q >> 32) ^ b_now ^ key0;
      b[j] = static_cast<uint32_t>(q);
      c[j] = static_cast<uint32_t>(p >> 32) ^ d_now ^ key1;
      d[j] = static_cast<uint32_t>(p);
    }
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  for (int j = 0; j < counters; ++j) {
    words[4 * j] = a[j];
    words[4 * j + 1] = b[j];
    words[4 * j + 2] = c[j];
    words[4 * j + 3] = d[j];
  }
}

inline void to_uniform(const uint32_t* words, float* values) {
  for (int i = 0; i < block; ++i)
    values[i] = static_cast<float>(static_cast<int32_t>(words[i] >> 8)) * 5.9604644775390625e-8f;  // 2^-24
}

// Box and Muller (1958): elements 2k and 2k + 1 share a radius.
inline void to_normal(const uint32_t* words, float* values) {
  float uniform[block], radius[block / 2], angle[block / 2], cosine[block / 2], sine[block / 2];
  to_uniform(words, uniform);
  for (int i = 0; i < block / 2; ++i) radius[i] = 1.0f - uniform[2 * i], angle[i] = 6.283185307f * uniform[2 * i + 1];
  for (int i = 0; i < block / 2; i += lanes) {
    const Floats r = sqrt(broadcast(-2.0f) * log(load(radius + i))), turn = load(angle + i);
    store(cosine + i, r * cos(turn));
    store(sine + i, r * sin(turn));
  }
  for (int i = 0; i < block / 2; ++i) values[2 * i] = cosine[i], values[2 * i + 1] = sine[i];
}

// Calls use(first element, count, their numbers) for blocks of the elements [begin, end).
template <void (*convert)(const uint32_t*, float*), typename Use>
inline void draw(const State& state, int64_t begin, int64_t end, const Use& use) {
  while (begin < end) {
    const uint64_t global = static_cast<uint64_t>(state.first + begin);
    const int64_t skipped = static_cast<int64_t>(global % 4);
    uint32_t words[block];
    float values[block];
    philox(state, global / 4, words);
    convert(words, values);
    const int64_t count = min64(end - begin, block - skipped);
    use(begin, count, values + skipped);
    begin += count;
  }
}

template <void (*convert)(const uint32_t*, float*)>
void run_draw(const Prepared& prepared, const RunContext& context) {
  const Random& p = parameters<Random>(prepared);
  const State state = read_state(input_data<int64_t>(prepared, context, 0), p.stream);
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
  const State state = read_state(input_data<int64_t>(prepared, context, 1), p.stream);
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
