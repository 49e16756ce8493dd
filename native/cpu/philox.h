// Philox4x32-10 (Salmon et al. 2011), as docs/internals.md, section 3, lays down: element E of a draw depends on
// (seed, step, stream, E) alone, so any cut of the work gives the same numbers.
#pragma once
#include "kernel.h"

namespace pollux {
namespace {

constexpr int philox_counters = 16;  // computed side by side
constexpr int philox_block = 4 * philox_counters;

struct RandomState {
  uint32_t key[2];
  uint32_t step[2];
  int64_t first;
};

inline RandomState read_state(const int64_t* state, uint32_t stream) {
  const uint64_t seed = static_cast<uint64_t>(state[0]), step = static_cast<uint64_t>(state[1]);
  const uint32_t low = static_cast<uint32_t>(seed), high = static_cast<uint32_t>(seed >> 32);
  return {
      {low ^ high * 0x9E3779B9u, stream}, {static_cast<uint32_t>(step), static_cast<uint32_t>(step >> 32)}, state[2]};
}

// words[4 j + w] is word w of counter `from` + j.
inline void philox(const RandomState& state, uint64_t from, uint32_t* words) {
  uint32_t a[philox_counters], b[philox_counters], c[philox_counters], d[philox_counters];
  for (int j = 0; j < philox_counters; ++j) {
    const uint64_t counter = from + static_cast<uint64_t>(j);
    a[j] = static_cast<uint32_t>(counter);
    b[j] = static_cast<uint32_t>(counter >> 32);
    c[j] = state.step[0];
    d[j] = state.step[1];
  }
  uint32_t key0 = state.key[0], key1 = state.key[1];
  for (int round = 0; round < 10; ++round) {
    for (int j = 0; j < philox_counters; ++j) {
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
  for (int j = 0; j < philox_counters; ++j) {
    words[4 * j] = a[j];
    words[4 * j + 1] = b[j];
    words[4 * j + 2] = c[j];
    words[4 * j + 3] = d[j];
  }
}

inline void to_uniform(const uint32_t* words, float* values) {
  for (int i = 0; i < philox_block; ++i)
    values[i] = static_cast<float>(static_cast<int32_t>(words[i] >> 8)) * 5.9604644775390625e-8f;  // 2^-24
}

// Calls use(first element, count, their numbers) for blocks of the elements [begin, end).
template <void (*convert)(const uint32_t*, float*), typename Use>
inline void draw(const RandomState& state, int64_t begin, int64_t end, const Use& use) {
  while (begin < end) {
    const uint64_t global = static_cast<uint64_t>(state.first + begin);
    const int64_t skipped = static_cast<int64_t>(global % 4);
    uint32_t words[philox_block];
    float values[philox_block];
    philox(state, global / 4, words);
    convert(words, values);
    const int64_t count = min64(end - begin, philox_block - skipped);
    use(begin, count, values + skipped);
    begin += count;
  }
}

}  // namespace
}  // namespace pollux
