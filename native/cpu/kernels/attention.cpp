// attention: queries, keys and values of any strides -> y [batch, from, heads, value size] and the logarithm of the sum
// of exponentials of each row [batch, heads, from], 0 for a row that sees no key. The scores of 128 rows and 126 keys
// are all that exists of them at a time.
#include "attention_block.h"

namespace pollux::POLLUX_LEVEL {
namespace {

// Scratch of a running chunk, in floats.
struct Slot {
  float *tables, *most, *sum, *factor, *sums, *panels, *scores, *keys, *values, *plain, *turned;
  int64_t floats;
};

// `base` null: only the size is of interest.
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
  slot.most = take(p.padded), slot.sum = take(p.padded), slot.factor = take(p.padded);
  slot.sums = take(p.rows * max64(p.size, p.value_size));  // first the rows of the queries, then the results
  slot.panels = take(p.padded * p.size);
  slot.scores = take(kKeyBlock * p.step);
  slot.keys = take(p.copied_keys), slot.values = take(p.copied_values);
  slot.plain = take(biased ? p.rows * kKeyBlock : 0), slot.turned = take(biased ? kKeyBlock * p.padded : 0);
  slot.floats = at;
  return slot;
}

// Turns scores into e^(score - largest), and keeps up the largest and the sum of each row (Milakov and Gimelshein
// 2018). Returns whether what was summed before has to be multiplied by `factor`.
bool accumulate(const Attention& p, int64_t count, const Slot& slot) {
  const Floats lowest = broadcast(-INFINITY), one = broadcast(1.0f);
  bool changed = false;
  for (int64_t r = 0; r < p.padded; r += lanes) {
    float* scores = slot.scores + r;
    const Floats before = load(slot.most + r);
    Floats most = before;
    for (int64_t j = 0; j < count; ++j) most = greater(load(scores + j * p.step), most);
    const Floats shift = select(most == lowest, zero(), most);
    const Floats factor = exp(before - shift);
    Floats sum = zero();
    for (int64_t j = 0; j < count; ++j) {
      const Floats power = exp(load(scores + j * p.step) - shift);
      sum = sum + power;
      store(scores + j * p.step, power);
    }
    store(slot.sum + r, fma(load(slot.sum + r), factor, sum));
    store(slot.most + r, most);
    store(slot.factor + r, factor);
    changed = changed || any(factor != one);
  }
  return changed;
}

void scale_rows(const float* factors, int64_t rows, int64_t size, float* x) {
  for (int64_t r = 0; r < rows; ++r) {
    if (factors[r] == 1.0f) continue;
    const Floats factor = broadcast(factors[r]);
    for_each_vector(size, [&](int64_t d, int n) {
      float* at = x + r * size + d;
      store_some(at, load_some(at, n) * factor, n);
    });
  }
}

// Queries that see nothing, or lie beyond their sample's length.
void write_zeros(const Attention& p, int64_t b, int64_t head, int64_t query, float* y, float* total) {
  memset(y + ((b * p.from + query) * p.heads + head) * p.value_size, 0,
         static_cast<size_t>(p.value_size) * sizeof(float));
  total[(b * p.heads + head) * p.from + query] = 0;
}

void finish(const Attention& p, const Chunk& chunk, const Slot& slot, float* y, float* total) {
  for (int64_t r = 0; r < chunk.rows; ++r) {
    const int64_t head = chunk.head(p, r), query = chunk.query(r);
    if (slot.most[r] == -INFINITY) {
      write_zeros(p, chunk.b, head, query, y, total);
      continue;
    }
    const Floats sum = broadcast(slot.sum[r]);
    const float* from = slot.sums + r * p.value_size;
    float* to = y + ((chunk.b * p.from + query) * p.heads + head) * p.value_size;
    for_each_vector(p.value_size, [&](int64_t d, int n) { store_some(to + d, load_some(from + d, n) / sum, n); });
    total[(chunk.b * p.heads + head) * p.from + query] = slot.most[r] + ::logf(slot.sum[r]);
  }
  const int64_t stop = min64(p.from, chunk.first + p.block);
  for (int64_t query = chunk.first + chunk.count; query < stop; ++query)
    for (int64_t g = 0; g < p.group; ++g) write_zeros(p, chunk.b, chunk.key_head * p.group + g, query, y, total);
}

void run_chunk(const Prepared& prepared, const RunContext& context, int64_t item, const Slot& slot) {
  const auto& p = parameters<Attention>(prepared);
  const float* q = input_data<float>(prepared, context, 0);
  const float* k = input_data<float>(prepared, context, 1);
  const float* v = input_data<float>(prepared, context, 2);
  const int64_t pair = item / p.blocks;
  const Chunk chunk =
      begin_chunk(p, prepared, context, pair / p.key_heads, pair % p.key_heads, item % p.blocks, slot.tables);
  gather_rows(p, chunk, q, p.queries, p.size, p.scale, slot.sums);
  pack_panels(p, chunk.rows, slot.sums, p.size, slot.panels);
  memset(slot.sums, 0, static_cast<size_t>(chunk.rows * p.value_size) * sizeof(float));
  for (int64_t r = 0; r < p.padded; ++r) slot.most[r] = -INFINITY, slot.sum[r] = 0;
  for (int64_t begin = chunk.begin; begin < chunk.end; begin += kKeyBlock) {
    const int64_t count = min64(kKeyBlock, chunk.end - begin);
    const KeyRows keys = key_rows(k, p.keys, chunk, begin, count, p.size, p.copied_keys, slot.keys);
    multiply_rows(p, chunk.rows, keys, count, slot.panels, p.size, slot.scores);
    bias_scores(p, prepared, context, chunk, begin, count, slot.plain, slot.turned, slot.scores);
    if (accumulate(p, count, slot)) scale_rows(slot.factor, chunk.rows, p.value_size, slot.sums);
    if (p.state >= 0) {
      draw_factors(p, chunk, begin, count, slot.plain, slot.turned);
      for (int64_t j = 0; j < count; ++j)
        for (int64_t r = 0; r < p.padded; r += lanes)
          store(slot.scores + j * p.step + r,
                load(slot.scores + j * p.step + r) * load(slot.turned + j * p.padded + r));
    }
    const KeyRows values = key_rows(v, p.values, chunk, begin, count, p.value_size, p.copied_values, slot.values);
    add_over_keys(chunk.rows, slot.scores, p.step, values, count, p.value_size, slot.sums);
  }
  finish(p, chunk, slot, output_data<float>(prepared, context, 0), output_data<float>(prepared, context, 1));
}

void run(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<Attention>(prepared);
  ScratchSlots slots(static_cast<float*>(context.scratch), p.slots);
  parallel(context, p.chunks.count, [&](int64_t chunk) {
    float* base = slots.borrow();
    const Slot slot = lay_out(p, base);
    for (int64_t i = p.chunks.begin(chunk); i < p.chunks.end(chunk); ++i) run_chunk(prepared, context, i, slot);
    slots.give_back(base);
  });
}

constexpr double kGrain = 2e6;  // floating-point operations worth handing to a thread

PolluxResult prepare(const PolluxStep& step, Prepared* prepared) {
  auto* p = make_parameters<Attention>(prepared);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  *p = describe_attention(step, 0);
  const double work = 2.0 * static_cast<double>(p->rows) * static_cast<double>(p->to + 1) *
                      static_cast<double>(p->size + p->value_size + 8);
  p->chunks = plan_chunks(p->batch * p->key_heads * p->blocks, 1 + static_cast<int64_t>(kGrain / work), 256);
  p->slots = plan_slots(lay_out(*p, nullptr).floats, p->chunks.count);
  prepared->scratch_bytes = 4 * static_cast<uint64_t>(p->slots.floats());
  prepared->run = run;
  return POLLUX_SUCCESS;
}

const Kernel kernels[] = {
    {{"attention", dtype_bit(POLLUX_FLOAT32), POLLUX_STRIDED_INPUTS, nullptr}, prepare},
};

}  // namespace

extern const KernelTable attention_kernels = {kernels, 1};

}  // namespace pollux::POLLUX_LEVEL
