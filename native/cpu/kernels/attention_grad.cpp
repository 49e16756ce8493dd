// attentionGrad: the gradients of queries, keys and values from dy, the rows' logSumExp and delta (what the gradient of
// a row's scores sums to: dy y). The probabilities are computed again, block by block.
//
// The queries and the keys of a key head are cut into `parts` spans each. In turn t, span s of the keys meets span
// (s + t) mod parts of the queries: no two of a turn add to the same gradient, so that a turn runs on as many threads
// as there are spans, each sum is made in one order, and nothing is kept beside the gradients.
#include "attention_block.h"

namespace pollux::POLLUX_LEVEL {
namespace {

struct Gradient {
  Attention attention;
  Strides4 dy;
  int64_t parts;
};

struct Slot {
  float *tables, *total, *delta, *queries, *slopes, *sums, *query_panels, *slope_panels;
  float *scores, *products, *keys, *values, *plain, *factors;
  int64_t floats;
};

Slot lay_out(const Attention& p, float* base) {
  Slot slot{};
  int64_t at = 0;
  const auto take = [&](int64_t floats) {
    float* here = base ? base + at : nullptr;
    at += round_up(floats, 16);
    return here;
  };
  const bool biased = p.mask >= 0 || p.state >= 0;
  slot.tables = take(2 * p.padded);
  slot.total = take(p.padded), slot.delta = take(p.padded);
  slot.queries = take(p.rows * p.size), slot.slopes = take(p.rows * p.value_size), slot.sums = take(p.rows * p.size);
  slot.query_panels = take(p.padded * p.size), slot.slope_panels = take(p.padded * p.value_size);
  slot.scores = take(kKeyBlock * p.step), slot.products = take(kKeyBlock * p.step);
  slot.keys = take(p.copied_keys), slot.values = take(p.copied_values);
  slot.plain = take(biased ? p.rows * kKeyBlock : 0), slot.factors = take(biased ? kKeyBlock * p.padded : 0);
  slot.floats = at;
  return slot;
}

// A number for each row of the chunk from [batch, heads, from] of any strides.
void read_rows(const Attention& p, const Prepared& prepared, const RunContext& context, const Chunk& chunk, int operand,
               float* to) {
  const int64_t* stride = input(*prepared.step, operand).stride;
  const float* x = input_data<float>(prepared, context, operand) + chunk.b * stride[0];
  for (int64_t r = 0; r < p.padded; ++r)
    to[r] = r < chunk.rows ? x[chunk.head(p, r) * stride[1] + chunk.query(r) * stride[2]] : 0;
}

// sums[keys][size] += block[keys][rows] x[rows][size]; the rows of the sums lie `step` apart.
void add_over_rows(int64_t rows, const float* block, int64_t block_step, int64_t count, const float* x, int64_t size,
                   float* sums, int64_t step) {
  const int tall = balanced_rows(count);
  for (int64_t d = 0; d < size; d += kPanel) {
    for (int64_t j = 0; j < count; j += tall) {
      const View view{block + j * block_step, block_step, static_cast<int32_t>(rows), 1, 0};
      run_tile(false, static_cast<int>(min64(tall, count - j)), min64(kPanel, size - d), view, x + d, size,
               sums + j * step + d, step, kAccumulate, nullptr);
    }
  }
}

// scores := probabilities, products := gradients of the scores, factors := probabilities that dropout left.
void differentiate(const Attention& p, int64_t count, const Slot& slot) {
  for (int64_t j = 0; j < count; ++j) {
    for (int64_t r = 0; r < p.padded; r += lanes) {
      float *score = slot.scores + j * p.step + r, *product = slot.products + j * p.step + r;
      const Floats probability = exp(load(score) - load(slot.total + r));
      Floats slope = load(product);
      if (p.state >= 0) {
        float* factor = slot.factors + j * p.padded + r;
        slope = slope * load(factor);
        store(factor, probability * load(factor));
      } else {
        store(score, probability);
      }
      store(product, probability * (slope - load(slot.delta + r)));
    }
  }
}

// One block of queries with the keys [first, last).
void run_block(const Prepared& prepared, const RunContext& context, int64_t pair, int64_t block, int64_t first,
               int64_t last, const Slot& slot) {
  const auto& gradient = parameters<Gradient>(prepared);
  const Attention& p = gradient.attention;
  const float* dy = input_data<float>(prepared, context, 0);
  const float* q = input_data<float>(prepared, context, p.first);
  const float* k = input_data<float>(prepared, context, p.first + 1);
  const float* v = input_data<float>(prepared, context, p.first + 2);
  float* dq = output_data<float>(prepared, context, 0);
  Chunk chunk = begin_chunk(p, prepared, context, pair / p.key_heads, pair % p.key_heads, block, slot.tables);
  chunk.begin = max64(chunk.begin, first), chunk.end = min64(chunk.end, last);
  if (chunk.begin >= chunk.end) return;
  const int64_t key_step = p.key_heads * p.size, value_step = p.key_heads * p.value_size;
  float* dk = output_data<float>(prepared, context, 1) + (chunk.b * p.to * p.key_heads + chunk.key_head) * p.size;
  float* dv = output_data<float>(prepared, context, 2) + (chunk.b * p.to * p.key_heads + chunk.key_head) * p.value_size;
  gather_rows(p, chunk, q, p.queries, p.size, p.scale, slot.queries);
  gather_rows(p, chunk, dy, gradient.dy, p.value_size, 1, slot.slopes);
  pack_panels(p, chunk.rows, slot.queries, p.size, slot.query_panels);
  pack_panels(p, chunk.rows, slot.slopes, p.value_size, slot.slope_panels);
  read_rows(p, prepared, context, chunk, 1, slot.total);
  read_rows(p, prepared, context, chunk, 2, slot.delta);
  memset(slot.sums, 0, static_cast<size_t>(chunk.rows * p.size) * sizeof(float));
  for (int64_t begin = chunk.begin; begin < chunk.end; begin += kKeyBlock) {
    const int64_t count = min64(kKeyBlock, chunk.end - begin);
    const KeyRows keys = key_rows(k, p.keys, chunk, begin, count, p.size, p.copied_keys, slot.keys);
    const KeyRows values = key_rows(v, p.values, chunk, begin, count, p.value_size, p.copied_values, slot.values);
    multiply_rows(p, chunk.rows, keys, count, slot.query_panels, p.size, slot.scores);
    bias_scores(p, prepared, context, chunk, begin, count, slot.plain, slot.factors, slot.scores);
    multiply_rows(p, chunk.rows, values, count, slot.slope_panels, p.value_size, slot.products);
    if (p.state >= 0) draw_factors(p, chunk, begin, count, slot.plain, slot.factors);
    differentiate(p, count, slot);
    const float* left = p.state >= 0 ? slot.factors : slot.scores;
    add_over_rows(chunk.rows, left, p.state >= 0 ? p.padded : p.step, count, slot.slopes, p.value_size,
                  dv + begin * value_step, value_step);
    add_over_rows(chunk.rows, slot.products, p.step, count, slot.queries, p.size, dk + begin * key_step, key_step);
    add_over_keys(chunk.rows, slot.products, p.step, keys, count, p.size, slot.sums);
  }
  for (int64_t r = 0; r < chunk.rows; ++r) {
    float* to = dq + ((chunk.b * p.from + chunk.query(r)) * p.heads + chunk.head(p, r)) * p.size;
    for (int64_t d = 0; d < p.size; ++d) to[d] += slot.sums[r * p.size + d] * p.scale;
  }
}

// `size` numbers of each of the rows of a head: 0.
void clear_rows(float* x, int64_t rows, int64_t step, int64_t size) {
  for (int64_t i = 0; i < rows; ++i) memset(x + i * step, 0, static_cast<size_t>(size) * sizeof(float));
}

void clear_pair(const Prepared& prepared, const RunContext& context, int64_t pair) {
  const Attention& p = parameters<Gradient>(prepared).attention;
  const int64_t b = pair / p.key_heads, head = pair % p.key_heads;
  // A group of query heads lies side by side, so their gradients are cleared as one.
  clear_rows(output_data<float>(prepared, context, 0) + (b * p.from * p.heads + head * p.group) * p.size, p.from,
             p.heads * p.size, p.group * p.size);
  clear_rows(output_data<float>(prepared, context, 1) + (b * p.to * p.key_heads + head) * p.size, p.to,
             p.key_heads * p.size, p.size);
  clear_rows(output_data<float>(prepared, context, 2) + (b * p.to * p.key_heads + head) * p.value_size, p.to,
             p.key_heads * p.value_size, p.value_size);
}

// Span `part` of the keys, in turn `turn`.
void run_part(const Prepared& prepared, const RunContext& context, int64_t pair, int64_t part, int64_t turn,
              const Slot& slot) {
  const auto& [p, dy, parts] = parameters<Gradient>(prepared);
  const int64_t other = (part + turn) % parts;
  const int64_t key_blocks = ceil_div(p.to, kKeyBlock);
  const int64_t first = key_blocks * part / parts * kKeyBlock, last = key_blocks * (part + 1) / parts * kKeyBlock;
  const int64_t stop = p.blocks * (other + 1) / parts;
  for (int64_t block = p.blocks * other / parts; block < stop; ++block)
    run_block(prepared, context, pair, block, first, last, slot);
}

void run(const Prepared& prepared, const RunContext& context) {
  const auto& [p, dy, parts] = parameters<Gradient>(prepared);
  ScratchSlots slots(static_cast<float*>(context.scratch), p.slots);
  for (int64_t turn = 0; turn < parts; ++turn) {
    if (parts > 1 && turn == 0)
      parallel(context, p.batch * p.key_heads, [&](int64_t pair) { clear_pair(prepared, context, pair); });
    parallel(context, p.chunks.count, [&](int64_t chunk) {
      float* base = slots.borrow();
      const Slot slot = lay_out(p, base);
      for (int64_t i = p.chunks.begin(chunk); i < p.chunks.end(chunk); ++i) {
        if (parts == 1) clear_pair(prepared, context, i);
        run_part(prepared, context, i / parts, i % parts, turn, slot);
      }
      slots.give_back(base);
    });
  }
}

constexpr double kGrain = 2e6;  // floating-point operations worth handing to a thread
constexpr int64_t kSpans = 16;  // of all key heads, where there are rows enough

PolluxResult prepare(const PolluxStep& step, Prepared* prepared) {
  auto* parameter = make_parameters<Gradient>(prepared);
  if (!parameter) return POLLUX_OUT_OF_MEMORY;
  Attention& p = parameter->attention;
  p = describe_attention(step, 3);
  parameter->dy = strides_of(input(step, 0));
  const int64_t pairs = p.batch * p.key_heads, most = min64(p.blocks, ceil_div(p.to, kKeyBlock));
  parameter->parts = max64(1, min64(most, ceil_div(kSpans, max64(1, pairs))));
  const double parts = static_cast<double>(parameter->parts);
  const double work = 5.0 * static_cast<double>(p.group * p.from + 1) * static_cast<double>(p.to + 1) *
                      static_cast<double>(p.size + p.value_size + 8) / (parts * parts);
  p.chunks = plan_chunks(pairs * parameter->parts, 1 + static_cast<int64_t>(kGrain / work), 256);
  p.slots = plan_slots(lay_out(p, nullptr).floats, p.chunks.count);
  prepared->scratch_bytes = 4 * static_cast<uint64_t>(p.slots.floats());
  prepared->run = run;
  return POLLUX_SUCCESS;
}

const Kernel kernels[] = {
    {{"attentionGrad", dtype_bit(POLLUX_FLOAT32), POLLUX_STRIDED_INPUTS, nullptr}, prepare},
};

}  // namespace

extern const KernelTable attention_grad_kernels = {kernels, 1};

}  // namespace pollux::POLLUX_LEVEL
