// What attention's forward and backward kernels share: the sizes of a step, and one block of scores.
//
// A block is transposed, [keys][rows]: rows are the queries of a chunk, those of all heads that share a key head behind
// one another. So keys and values are read where they lie, the queries are packed once, and what softmax does to a row
// it does to one lane: no sums across lanes. After Dao et al., "FlashAttention" (2022), and Rabe and Staats (2021).
#pragma once
#include "../philox.h"
#include "../simd.h"
#include "../simd_math.h"
#include "gemm_dot.h"
#include "gemm_pack.h"
#include "gemm_slots.h"
#include "gemm_tile.h"

namespace pollux {
namespace {

constexpr int64_t kMostRows = 128;
constexpr int64_t kKeyBlock = 126;  // a multiple of the tiles' 14 and 6 rows

struct Strides4 {
  int64_t batch, row, head, element;
};

struct Attention {
  int64_t batch, from, to, heads, key_heads, group, size, value_size;
  Strides4 queries, keys, values;
  float scale;
  bool causal;
  int64_t window;
  float rate, kept;  // of dropout; what is kept is multiplied by `kept`
  uint32_t stream;
  int first;                                        // operand: the queries
  int lengths, query_lengths, mask, slopes, state;  // operands, or -1
  int64_t mask_stride[4];                           // 0 along axes of size 1
  int64_t block, blocks;                            // queries of a chunk; chunks of a key head
  int64_t rows, padded, step;          // of a chunk: block * group; in whole vectors; apart in a block of scores
  int64_t copied_keys, copied_values;  // floats of the copies of a block, 0 where they are read in place
  Chunks chunks;
  SlotPlan slots;
};

inline Strides4 strides_of(const PolluxOperand& x) {
  return {x.stride[0], x.stride[1], x.stride[2], x.stride[3]};
}

// Rows that do not lie along memory, or that meet in the cache, are copied block by block.
inline int64_t copied_floats(const Strides4& strides, int64_t size) {
  const int64_t apart = strides.row * 4 % 4096;
  const bool meet = strides.row >= 1024 && (apart < 256 || apart > 3840);
  return (strides.element != 1 && size > 1) || meet ? kKeyBlock * size : 0;
}

inline Attention describe_attention(const PolluxStep& step, int first) {
  Attention p{};
  const PolluxOperand &q = input(step, first), &k = input(step, first + 1), &v = input(step, first + 2);
  p.first = first;
  p.batch = q.shape[0], p.from = q.shape[1], p.heads = q.shape[2], p.size = q.shape[3];
  p.to = k.shape[1], p.key_heads = k.shape[2], p.value_size = v.shape[3];
  p.group = p.key_heads ? p.heads / p.key_heads : 0;
  p.queries = strides_of(q), p.keys = strides_of(k), p.values = strides_of(v);
  p.scale = static_cast<float>(number(step, "scale"));
  p.causal = boolean(step, "causal");
  p.window = integer(step, "window");
  const double rate = number(step, "rate");
  p.rate = static_cast<float>(rate), p.kept = static_cast<float>(1 / (1 - rate));
  p.stream = static_cast<uint32_t>(number(step, "stream"));
  // The names of the optional operands stand in their order, separated by spaces.
  int next = first + 3;
  const char* names = text(step, "operands");
  const auto take = [&](const char* name) {
    const size_t length = strlen(name);
    if (strncmp(names, name, length) != 0 || (names[length] != 0 && names[length] != ' ')) return -1;
    names += length + (names[length] == ' ');
    return next++;
  };
  p.lengths = take("lengths"), p.query_lengths = take("queryLengths"), p.mask = take("mask");
  p.slopes = take("slopes"), p.state = take("state");
  if (p.mask >= 0) {
    const PolluxOperand& mask = input(step, p.mask);
    for (int axis = 0; axis < 4; ++axis) p.mask_stride[axis] = mask.shape[axis] == 1 ? 0 : mask.stride[axis];
  }
  // Of one small head the blocks of two threads would be a tenth of all operands.
  const bool little = p.batch * p.heads * (p.size + p.value_size) < kMostRows;
  const int64_t most = max64(1, (little ? kMostRows / 2 : kMostRows) / max64(1, p.group));
  p.block = max64(1, ceil_div(p.from, max64(1, ceil_div(p.from, most))));
  p.blocks = ceil_div(p.from, p.block);
  p.rows = p.block * p.group;
  p.padded = round_up(p.rows, kLanes);
  p.step = p.padded + kLanes;  // so that the keys of a block do not meet in the cache
  p.copied_keys = copied_floats(p.keys, p.size);
  p.copied_values = copied_floats(p.values, p.value_size);
  return p;
}

// The number of sample b in a list of lengths, within [0, most].
inline int64_t length_of(const Prepared& prepared, const RunContext& context, int operand, int64_t b, int64_t most) {
  if (operand < 0) return most;
  const PolluxOperand& list = input(*prepared.step, operand);
  const int64_t at = b * list.stride[0];
  const int64_t length = list.dtype == POLLUX_INT64 ? input_data<int64_t>(prepared, context, operand)[at]
                                                    : input_data<int32_t>(prepared, context, operand)[at];
  return max64(0, min64(most, length));
}

// The queries of one chunk, and what of the keys they may see.
struct Chunk {
  int64_t b, key_head;
  int64_t first, count;  // queries, those beyond the sample's length left out
  int64_t rows;
  int64_t begin, end;  // keys
  int64_t offset;      // of a query's place among the keys
  float* position;     // of each row
  float* slope;
  RandomState random;

  int64_t head(const Attention& p, int64_t row) const { return key_head * p.group + row / count; }
  int64_t query(int64_t row) const { return first + row % count; }
};

// Two arrays of `padded` floats lie from `tables` on.
inline Chunk begin_chunk(const Attention& p, const Prepared& prepared, const RunContext& context, int64_t b,
                         int64_t key_head, int64_t block, float* tables) {
  Chunk chunk{};
  const int64_t keys = length_of(prepared, context, p.lengths, b, p.to);
  const int64_t queries = length_of(prepared, context, p.query_lengths, b, p.from);
  chunk.b = b, chunk.key_head = key_head;
  chunk.first = block * p.block;
  chunk.count = max64(0, min64(queries, chunk.first + p.block) - chunk.first);
  chunk.rows = chunk.count * p.group;
  chunk.offset = keys - queries;
  const int64_t low = chunk.first + chunk.offset, high = low + chunk.count - 1;  // places
  chunk.begin = p.window ? max64(0, low - p.window + 1) : 0;
  chunk.end = p.causal ? min64(keys, high + 1) : p.window ? min64(keys, high + p.window) : keys;
  if (chunk.rows == 0) chunk.end = 0;
  chunk.position = tables, chunk.slope = tables + p.padded;
  for (int64_t r = 0; r < p.padded; ++r) {
    const bool real = r < chunk.rows;
    chunk.position[r] = real ? static_cast<float>(chunk.query(r) + chunk.offset) : 0;
    chunk.slope[r] = real && p.slopes >= 0
                         ? input_data<float>(prepared, context,
                                             p.slopes)[chunk.head(p, r) * input(*prepared.step, p.slopes).stride[0]]
                         : 0;
  }
  if (p.state >= 0) {
    const auto* state = input_data<int64_t>(prepared, context, p.state);
    const int64_t stride = input(*prepared.step, p.state).stride[0];
    const int64_t words[3] = {state[0], state[stride], state[2 * stride]};
    chunk.random = read_state(words, p.stream);
  }
  return chunk;
}

// ---- moving rows -------------------------------------------------------------------------------------------------

// Rows of the chunk's queries times `factor`: to[row][size].
inline void gather_rows(const Attention& p, const Chunk& chunk, const float* x, const Strides4& strides, int64_t size,
                        float factor, float* to) {
  for (int64_t r = 0; r < chunk.rows; ++r, to += size) {
    const float* from = x + chunk.b * strides.batch + chunk.query(r) * strides.row + chunk.head(p, r) * strides.head;
    if (strides.element == 1) {
      for (int64_t d = 0; d < size; ++d) to[d] = from[d] * factor;
    } else {
      for (int64_t d = 0; d < size; ++d) to[d] = from[d * strides.element] * factor;
    }
  }
}

// A single row needs no panels: dot products serve it.
inline bool is_single(const Attention& p, int64_t rows) {
  return rows == 1 && p.padded == kLanes;
}

// Rows [rows][size] as panels of [size][kPanel], zero behind the last row.
inline void pack_panels(const Attention& p, int64_t rows, const float* from, int64_t size, float* to) {
  if (is_single(p, rows)) {
    memcpy(to, from, static_cast<size_t>(size) * sizeof(float));
    return;
  }
  for (int64_t q = 0; q < p.padded; q += kPanel) {
    const int64_t width = p.padded - q <= kLanes ? kLanes : kPanel;
    if (q < rows) {
      pack_transposed(from + q * size, size, min64(width, rows - q), size, to + q * size, width);
    } else {
      memset(to + q * size, 0, static_cast<size_t>(width * size) * sizeof(float));
    }
  }
}

struct KeyRows {
  const float* data;
  int64_t step;
};

// `count` rows of keys or values from `begin` on, with their elements side by side.
inline KeyRows key_rows(const float* x, const Strides4& strides, const Chunk& chunk, int64_t begin, int64_t count,
                        int64_t size, int64_t copied, float* copy) {
  const float* from = x + chunk.b * strides.batch + begin * strides.row + chunk.key_head * strides.head;
  if (!copied) return {from, strides.row};
  for (int64_t j = 0; j < count; ++j)
    for (int64_t d = 0; d < size; ++d) copy[j * size + d] = from[j * strides.row + d * strides.element];
  return {copy, size};
}

// ---- products ----------------------------------------------------------------------------------------------------

// block[keys][rows] = keys[keys][size] packed rows. One row, as decoding has it, is read at the pace of memory: its
// keys lie far apart, so they are asked for ahead.
inline void multiply_rows(const Attention& p, int64_t rows, const KeyRows& keys, int64_t count, const float* panels,
                          int64_t size, float* block) {
  if (is_single(p, rows)) {
    run_dots(panels, size, 1, keys.data, keys.step, 0, count, size, [&](int64_t, int64_t j, float product) {
      vec_store(block + j * p.step, vec_set(product));
      for (int64_t d = 0; d < size; d += 16) __builtin_prefetch(keys.data + (j + 24) * keys.step + d);
    });
    return;
  }
  const int tall = balanced_rows(count);
  for (int64_t q = 0; q < p.padded; q += kPanel) {
    const int64_t here = min64(kPanel, p.padded - q);
    for (int64_t j = 0; j < count; j += tall) {
      const View view{keys.data + j * keys.step, keys.step, static_cast<int32_t>(size), 1, 0};
      run_tile(false, static_cast<int>(min64(tall, count - j)), here, view, panels + q * size,
               here <= kLanes ? kLanes : kPanel, block + j * p.step + q, p.step, 0, nullptr);
    }
  }
}

// sums[rows][size] += transposed block[keys][rows] keys[keys][size].
inline void add_over_keys(int64_t rows, const float* block, int64_t block_step, const KeyRows& keys, int64_t count,
                          int64_t size, float* sums) {
  const int tall = balanced_rows(rows);
  for (int64_t d = 0; d < size; d += kPanel) {
    for (int64_t r = 0; r < rows; r += tall) {
      const View view{block + r, block_step, static_cast<int32_t>(count), 1, 0};
      run_tile(true, static_cast<int>(min64(tall, rows - r)), min64(kPanel, size - d), view, keys.data + d, keys.step,
               sums + r * size + d, size, kAccumulate, nullptr);
    }
  }
}

// ---- bias, mask, dropout -----------------------------------------------------------------------------------------

// bias[rows][keys] of the mask: 0 or -infinity for one of truths.
inline void read_mask(const Attention& p, const Prepared& prepared, const RunContext& context, const Chunk& chunk,
                      int64_t begin, int64_t count, float* bias) {
  const bool truths = input(*prepared.step, p.mask).dtype == POLLUX_BOOL;
  const int64_t stride = p.mask_stride[3];
  for (int64_t r = 0; r < chunk.rows; ++r, bias += kKeyBlock) {
    const int64_t at = chunk.b * p.mask_stride[0] + chunk.head(p, r) * p.mask_stride[1] +
                       chunk.query(r) * p.mask_stride[2] + begin * stride;
    if (truths) {
      const uint8_t* mask = input_data<uint8_t>(prepared, context, p.mask) + at;
      for (int64_t j = 0; j < count; ++j) bias[j] = mask[j * stride] ? 0 : -INFINITY;
    } else {
      const float* mask = input_data<float>(prepared, context, p.mask) + at;
      for (int64_t j = 0; j < count; ++j) bias[j] = mask[j * stride];
    }
  }
}

// Adds bias to the scores of keys [begin, begin + count) and sets what may not be seen to -infinity. `turned` has room
// for a block without gaps, `plain` for [rows][kKeyBlock]; both are used where there is a mask.
inline void bias_scores(const Attention& p, const Prepared& prepared, const RunContext& context, const Chunk& chunk,
                        int64_t begin, int64_t count, float* plain, float* turned, float* scores) {
  const Floats never = broadcast(-INFINITY);
  if (p.mask >= 0) {
    read_mask(p, prepared, context, chunk, begin, count, plain);
    pack_transposed(plain, kKeyBlock, chunk.rows, count, turned, p.padded);
    for (int64_t j = 0; j < count; ++j) {
      for (int64_t r = 0; r < p.padded; r += lanes) {
        const Floats bias = load(turned + j * p.padded + r);
        const Floats score = load(scores + j * p.step + r) + bias;
        store(scores + j * p.step + r, select(bias == never, never, score));
      }
    }
  }
  const int64_t low = chunk.first + chunk.offset, high = low + chunk.count - 1, last = begin + count - 1;
  const bool edge = (p.causal && last > low) || (p.window && (high - begin >= p.window || last - low >= p.window));
  if (!edge && p.slopes < 0) return;
  const Floats reach = broadcast(p.window ? static_cast<float>(p.window) : INFINITY);
  for (int64_t j = 0; j < count; ++j) {
    const Floats place = broadcast(static_cast<float>(begin + j));
    for (int64_t r = 0; r < p.padded; r += lanes) {
      const Floats apart = load(chunk.position + r) - place;
      const Floats far = absolute(apart);
      Floats score = load(scores + j * p.step + r);
      if (p.slopes >= 0) score = score - load(chunk.slope + r) * far;
      Mask seen = far < reach;
      if (p.causal) seen = seen & (apart >= zero());
      store(scores + j * p.step + r, select(seen, score, never));
    }
  }
}

// factors[keys][padded]: 0 where dropout drops a probability, else what it multiplies it by.
inline void draw_factors(const Attention& p, const Chunk& chunk, int64_t begin, int64_t count, float* plain,
                         float* factors) {
  for (int64_t r = 0; r < chunk.rows; ++r) {
    const int64_t row = (chunk.b * p.heads + chunk.head(p, r)) * p.from + chunk.query(r);
    const int64_t element = row * p.to + begin;
    float* to = plain + r * kKeyBlock;
    draw<to_uniform>(chunk.random, element, element + count, [&](int64_t first, int64_t n, const float* values) {
      for (int64_t i = 0; i < n; ++i) to[first - element + i] = values[i] >= p.rate ? p.kept : 0;
    });
  }
  pack_transposed(plain, kKeyBlock, chunk.rows, count, factors, p.padded);
}

}  // namespace
}  // namespace pollux
