// The sweep through time that the recurrent layers share: states go from step to step, and each step is a product with
// the recurrent weight [gates * units, units], packed once, and a little arithmetic on each unit, the cell's own.
//
// Rows of the batch never meet, so a chunk takes some rows through all steps and no thread waits for another. A
// sequence with a length stays as it is beyond its end: nothing is computed of it, and what is recorded there is zero.
#pragma once
#include "../simd_math.h"
#include "gemm_pack.h"
#include "gemm_slots.h"
#include "gemm_tile.h"

namespace pollux {
namespace {

struct Recurrence {
  int64_t batch, steps, units;
  int gates;
  bool reverse;
  int lengths;          // which operand they are; 0: none
  int64_t blocks;       // vectors of units in a strip
  int64_t strips;       // forward: the gates of `blocks` vectors of units lie side by side, in whole panels
  int64_t state_pitch;  // floats from row to row of a state, and of the slopes of all gates: odd numbers of cache lines
  int64_t slope_pitch;
  int64_t packed_floats;
  SlotPlan slots;
  Chunks rows;
};

// Where a cell is at work: sequence, place of the step among those of all sequences, first unit.
struct Place {
  int64_t row, at, unit;
};

constexpr int64_t kSweepRows = 8;  // of a chunk: more would hardly be faster, and fewer threads would find work

inline int64_t pitch_of(int64_t columns) {
  return (ceil_div(columns, 16) | 1) * 16;
}

// `x` is [batch, steps, gates * units]; the step has `inputs` operands, then perhaps lengths. Even a batch of one packs
// the weight: it serves all steps.
inline void plan_recurrence(const PolluxStep& step, const PolluxOperand& x, const PolluxOperand& weight, int inputs,
                            bool backward, Prepared* prepared, Recurrence& p) {
  p.batch = x.shape[0];
  p.steps = x.shape[1];
  const int64_t units = weight.shape[1];
  p.units = units;
  p.gates = units ? static_cast<int>(weight.shape[0] / units) : 1;
  p.reverse = boolean(step, "reverse");
  p.lengths = step.input_count > inputs ? inputs : 0;
  p.blocks = p.gates % 2 ? 2 : 1;
  p.strips = ceil_div(units, p.blocks * kLanes);
  p.state_pitch = pitch_of(round_up(units, kPanel));
  p.slope_pitch = pitch_of(p.gates * units);
  const int64_t strip = p.blocks * p.gates * kLanes;
  p.packed_floats = backward ? round_up(units, kPanel) * p.gates * units : p.strips * strip * units;
  // An even number of chunks of about equal size: few of them would leave a thread without work.
  const int64_t chunks = p.batch <= kSweepRows / 2 ? 1 : 2 * ceil_div(p.batch, 2 * kSweepRows);
  p.rows = plan_chunks(p.batch, ceil_div(p.batch, chunks), 4096);
  const int64_t slot_floats =
      backward ? p.rows.size * (p.state_pitch + p.slope_pitch) : p.rows.size * (2 * p.state_pitch + strip);
  p.slots = plan_slots(slot_floats, p.rows.count);
  prepared->scratch_bytes = 4 * static_cast<uint64_t>(round_up(p.packed_floats, 16) + p.slots.floats());
}

inline const int32_t* lengths_of(const Prepared& prepared, const RunContext& context, const Recurrence& p) {
  return p.lengths ? input_data<int32_t>(prepared, context, p.lengths) : nullptr;
}

// How many steps a sequence has.
inline int64_t length_of(const Recurrence& p, const int32_t* lengths, int64_t row) {
  return lengths ? max64(0, min64(p.steps, lengths[row])) : p.steps;
}

inline int64_t longest_of(const Recurrence& p, const int32_t* lengths, int64_t begin, int64_t end) {
  int64_t longest = 0;
  for (int64_t row = begin; row < end; ++row) longest = max64(longest, length_of(p, lengths, row));
  return longest;
}

// A state before a step: that after the step that came before it, or the first.
inline const float* state_before(const Recurrence& p, const int32_t* lengths, const Place& place, const float* states,
                                 const float* first) {
  const int64_t t = place.at - place.row * p.steps;
  const bool is_first = p.reverse ? t + 1 >= length_of(p, lengths, place.row) : t == 0;
  return (is_first ? first + place.row * p.units : states + (place.at + (p.reverse ? 1 : -1)) * p.units) + place.unit;
}

inline void zero_floats(float* to, int64_t count) {
  memset(to, 0, static_cast<size_t>(count) * sizeof(float));
}
inline void copy_floats(float* to, const float* from, int64_t count) {
  memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
}

// ---- the weight --------------------------------------------------------------------------------------------------

// to[k][kPanel]: two vectors of rows of the weight, turned round. A vector beyond the last unit is zero.
inline void pack_gate_panel(const Recurrence& p, const float* weight, int64_t strip, int64_t panel, float* to) {
  for (int64_t half = 0; half < 2; ++half) {
    const int64_t vector = 2 * panel + half;
    const int64_t unit = (strip * p.blocks + vector / p.gates) * kLanes;
    const float* from = weight + (vector % p.gates * p.units + unit) * p.units;
    const int64_t rows = min64(kLanes, p.units - unit);
    for (int64_t k = 0; k < p.units; k += kLanes) {
      const int64_t steps = min64(kLanes, p.units - k);
      const Tail tail = vec_tail(steps);
      Vec block[kLanes];
      POLLUX_UNROLL
      for (int j = 0; j < kLanes; ++j) block[j] = j < rows ? vec_load(from + j * p.units + k, tail) : vec_zero();
      transpose_square(block);
      POLLUX_UNROLL
      for (int j = 0; j < kLanes; ++j) {
        if (j < steps) vec_store(to + (k + j) * kPanel + half * kLanes, block[j]);
      }
    }
  }
}

inline void pack_gates(const Recurrence& p, const RunContext& context, const float* weight, float* packed) {
  const int64_t panels = p.blocks * p.gates / 2;
  const Chunks chunks = plan_chunks(p.strips * panels, ceil_div(16384, max64(1, p.units * kPanel)));
  parallel(context, chunks.count, [&](int64_t chunk) {
    for (int64_t i = chunks.begin(chunk); i < chunks.end(chunk); ++i)
      pack_gate_panel(p, weight, i / panels, i % panels, packed + i * p.units * kPanel);
  });
}

inline void pack_units(const Recurrence& p, const RunContext& context, const float* weight, float* packed) {
  const int64_t depth = p.gates * p.units;
  const Chunks chunks = plan_chunks(depth, ceil_div(16384, max64(1, p.units)));
  parallel(context, chunks.count, [&](int64_t chunk) {
    const int64_t begin = chunks.begin(chunk);
    pack_rows(weight + begin * p.units, p.units, p.units, begin, chunks.end(chunk) - begin, packed, depth * kPanel);
  });
}

// ---- the sweeps --------------------------------------------------------------------------------------------------

// y [batch, steps, units] and last [batch, units] from the first state. A cell has
//   begin(row): before the first step of a sequence;
//   skip(at): a step beyond the end of its sequence;
//   (place, n, gate, before) -> the next states of n units, gate(g) being the products of gate g with the state before.
template <typename Cell>
inline void sweep_forward(const Recurrence& p, const RunContext& context, const float* weight, const float* first,
                          const int32_t* lengths, float* y, float* last, const Cell& cell) {
  auto* packed = static_cast<float*>(context.scratch);
  if (p.steps > 0) pack_gates(p, context, weight, packed);
  ScratchSlots slots(packed + round_up(p.packed_floats, 16), p.slots);
  const int64_t strip_floats = p.blocks * p.gates * kLanes;
  parallel(context, p.rows.count, [&](int64_t chunk) {
    const int64_t begin = p.rows.begin(chunk), rows = p.rows.end(chunk) - begin;
    const int64_t longest = longest_of(p, lengths, begin, begin + rows);
    const int tile_rows = balanced_rows(rows);
    float* slot = slots.borrow();
    float* before = slot;
    float* after = before + rows * p.state_pitch;
    float* products = after + rows * p.state_pitch;
    for (int64_t r = 0; r < rows; ++r) {
      copy_floats(before + r * p.state_pitch, first + (begin + r) * p.units, p.units);
      cell.begin(begin + r);
    }
    for (int64_t s = 0; s < p.steps; ++s) {
      const int64_t t = p.reverse ? p.steps - 1 - s : s;
      for (int64_t r = 0; r < rows; ++r) {
        if (t < length_of(p, lengths, begin + r)) continue;
        const int64_t at = (begin + r) * p.steps + t;
        zero_floats(y + at * p.units, p.units);
        copy_floats(after + r * p.state_pitch, before + r * p.state_pitch, p.units);
        cell.skip(at);
      }
      if (t >= longest) continue;
      for (int64_t strip = 0; strip < p.strips; ++strip) {
        const float* panel = packed + strip * strip_floats * p.units;
        for (int64_t j = 0; j < strip_floats; j += kPanel, panel += kPanel * p.units) {
          for (int64_t i = 0; i < rows; i += tile_rows) {
            const View view{before + i * p.state_pitch, p.state_pitch, static_cast<int32_t>(p.units), 1, 0};
            run_tile(false, static_cast<int>(min64(tile_rows, rows - i)), kPanel, view, panel, kPanel,
                     products + i * strip_floats + j, strip_floats, 0, nullptr);
          }
        }
        for (int64_t r = 0; r < rows; ++r) {
          if (t >= length_of(p, lengths, begin + r)) continue;
          for (int64_t block = 0; block < p.blocks; ++block) {
            const int64_t unit = (strip * p.blocks + block) * kLanes;
            const float* product = products + r * strip_floats + block * p.gates * kLanes;
            for_each_vector(max64(0, min64(kLanes, p.units - unit)), [&](int64_t i, int n) {
              const Place place{begin + r, (begin + r) * p.steps + t, unit + i};
              const int64_t state = r * p.state_pitch + unit + i;
              const Floats next = cell(
                  place, n, [&](int g) { return load(product + g * kLanes + i); }, load_some(before + state, n));
              store_some(after + state, next, n);
              store_some(y + place.at * p.units + place.unit, next, n);
            });
          }
        }
      }
      float* swapped = before;
      before = after;
      after = swapped;
    }
    for (int64_t r = 0; r < rows; ++r) copy_floats(last + (begin + r) * p.units, before + r * p.state_pitch, p.units);
    slots.give_back(slot);
  });
}

// The slopes of all gates, and of the first state: dfirst [batch, units]. A cell has
//   begin(row), skip(at): as above;
//   (place, n, dh, slope) -> what of dh goes on to the state before beside the weight; slope(g, v) takes the slope of
//   the product of gate g with that state.
template <typename Cell>
inline void sweep_backward(const Recurrence& p, const RunContext& context, const float* weight, const float* dy,
                           const float* dlast, const int32_t* lengths, float* dfirst, const Cell& cell) {
  auto* packed = static_cast<float*>(context.scratch);
  if (p.steps > 0) pack_units(p, context, weight, packed);
  ScratchSlots slots(packed + round_up(p.packed_floats, 16), p.slots);
  const int64_t depth = p.gates * p.units;
  parallel(context, p.rows.count, [&](int64_t chunk) {
    const int64_t begin = p.rows.begin(chunk), rows = p.rows.end(chunk) - begin;
    const int64_t longest = longest_of(p, lengths, begin, begin + rows);
    const int tile_rows = balanced_rows(rows);
    float* slot = slots.borrow();
    float* carried = slot;
    float* slopes = carried + rows * p.state_pitch;
    for (int64_t r = 0; r < rows; ++r) {
      copy_floats(carried + r * p.state_pitch, dlast + (begin + r) * p.units, p.units);
      cell.begin(begin + r);
    }
    for (int64_t s = 0; s < p.steps; ++s) {
      const int64_t t = p.reverse ? s : p.steps - 1 - s;
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t at = (begin + r) * p.steps + t;
        float* slope = slopes + r * p.slope_pitch;
        if (t >= length_of(p, lengths, begin + r)) {
          zero_floats(slope, depth);
          cell.skip(at);
          continue;
        }
        for_each_vector(p.units, [&](int64_t unit, int n) {
          float* carry = carried + r * p.state_pitch + unit;
          const Floats dh = load_some(carry, n) + load_some(dy + at * p.units + unit, n);
          store_some(carry,
                     cell({begin + r, at, unit}, n, dh,
                          [&](int g, Floats v) { store_some(slope + g * p.units + unit, v, n); }),
                     n);
        });
      }
      if (t >= longest) continue;
      for (int64_t j = 0; j < p.units; j += kPanel) {
        const int64_t columns = min64(kPanel, p.units - j);
        for (int64_t i = 0; i < rows; i += tile_rows) {
          const View view{slopes + i * p.slope_pitch, p.slope_pitch, static_cast<int32_t>(depth), 1, 0};
          run_tile(false, static_cast<int>(min64(tile_rows, rows - i)), columns, view, packed + j * depth,
                   columns <= kLanes ? kLanes : kPanel, carried + i * p.state_pitch + j, p.state_pitch, kAccumulate,
                   nullptr);
        }
      }
    }
    for (int64_t r = 0; r < rows; ++r)
      copy_floats(dfirst + (begin + r) * p.units, carried + r * p.state_pitch, p.units);
    slots.give_back(slot);
  });
}

}  // namespace
}  // namespace pollux
