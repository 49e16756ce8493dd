// matmul: a [..., M, K], b [..., K, N] (each also transposed) and bias [N] -> y [..., M, N].
//
// float32 runs on register tiles (gemm.h) or, where one side has few rows, on dot products; int32 and int64 wrap around
// and run on plain loops. Leading axes may have any stride; they are folded into M where one matrix b serves all.
#include "gemm.h"
#include "gemm_dot.h"

namespace pollux::POLLUX_LEVEL {
namespace {

enum class Way { kNothing, kTiles, kDots };

struct Matmul {
  int64_t m, n, k, batch;
  int axes;  // leading axes left after folding
  int64_t shape[POLLUX_MAX_RANK];
  int64_t a_stride[POLLUX_MAX_RANK], b_stride[POLLUX_MAX_RANK];
  MatrixLayout a, b;
  bool has_bias, relu;
  Way way;
  bool swapped;  // computes y^T = b^T a^T, for N = 1; bias and relu follow in a pass of their own
  // kTiles: of batch * plan.chunks(); kDots: of the rows of b, the same for each matrix; ints: of rows of y
  Chunks chunks;
  Chunks tasks;    // kDots: of those chunks of all matrices
  SlotPlan slots;  // kTiles
  GemmPlan plan;
};

constexpr double kGrain = 2e6;  // floating-point operations worth handing to a thread: about 20 microseconds

MatrixLayout layout_of(const PolluxOperand& operand, bool transposed) {
  const int64_t row = operand.stride[operand.rank - 2], column = operand.stride[operand.rank - 1];
  return transposed ? MatrixLayout{column, row} : MatrixLayout{row, column};
}

// An axis of length 1 has no stride that matters: name it so that the other one is seen as contiguous.
void settle(MatrixLayout& layout, int64_t rows, int64_t columns) {
  if (columns == 1 && layout.row != 1) layout.column = 1;
  if (rows == 1 && layout.column != 1) layout.row = 1;
}

void describe(const PolluxStep& step, Matmul& p) {
  const PolluxOperand& a = input(step, 0);
  const PolluxOperand& b = input(step, 1);
  const PolluxOperand& y = output(step, 0);
  p.m = y.shape[y.rank - 2];
  p.n = y.shape[y.rank - 1];
  p.a = layout_of(a, boolean(step, "transposeA"));
  p.b = layout_of(b, boolean(step, "transposeB"));
  p.k = a.shape[boolean(step, "transposeA") ? a.rank - 2 : a.rank - 1];
  p.has_bias = step.input_count > 2;
  p.relu = strcmp(text(step, "activation", "none"), "relu") == 0;
  p.batch = 1;
  settle(p.b, p.k, p.n);
  // Leading axes from the innermost out: those along which a's rows go on and b stays the same become rows.
  bool folding = p.m > 0 && p.n > 0 && (p.a.column == 1 || p.k == 1);
  if (folding && p.k == 1) p.a.column = 1;
  for (int axis = y.rank - 3; axis >= 0; --axis) {
    if (y.shape[axis] == 1) continue;
    if (folding && b.stride[axis] == 0 && (p.m == 1 || a.stride[axis] == p.m * p.a.row)) {
      if (p.m == 1) p.a.row = a.stride[axis];
      p.m *= y.shape[axis];
      continue;
    }
    folding = false;
    p.shape[p.axes] = y.shape[axis];  // innermost first
    p.a_stride[p.axes] = a.stride[axis];
    p.b_stride[p.axes] = b.stride[axis];
    p.batch *= y.shape[axis];
    ++p.axes;
  }
  settle(p.a, p.m, p.k);
}

struct Offsets {
  int64_t a, b;
};

Offsets offsets_of(const Matmul& p, int64_t item) {
  Offsets offsets{0, 0};
  for (int axis = 0; axis < p.axes; ++axis) {
    const int64_t i = item % p.shape[axis];
    item /= p.shape[axis];
    offsets.a += i * p.a_stride[axis];
    offsets.b += i * p.b_stride[axis];
  }
  return offsets;
}

float finish(float x, bool relu) {
  return relu && x < 0 ? 0.0f : x;
}

// ---- float32 -----------------------------------------------------------------------------------------------------

void run_tiles(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<Matmul>(prepared);
  const auto* a = input_data<float>(prepared, context, p.swapped ? 1 : 0);
  const auto* b = input_data<float>(prepared, context, p.swapped ? 0 : 1);
  const float* bias = p.has_bias && !p.swapped ? input_data<float>(prepared, context, 2) : nullptr;
  auto* y = output_data<float>(prepared, context, 0);
  const GemmPlan& plan = p.plan;
  auto* scratch = static_cast<float*>(context.scratch);
  float* partials = scratch;
  ScratchSlots slots(scratch + round_up(p.batch * plan.partial_floats, 16), p.slots);
  const int64_t per_matrix = plan.chunks();
  parallel(context, p.chunks.count, [&](int64_t chunk) {
    float* slot = slots.borrow();
    for (int64_t i = p.chunks.begin(chunk); i < p.chunks.end(chunk); ++i) {
      const int64_t item = i / per_matrix;
      const Offsets at = offsets_of(p, item);
      run_gemm_chunk(plan, i % per_matrix, a + (p.swapped ? at.b : at.a), b + (p.swapped ? at.a : at.b), bias,
                     y + item * p.m * p.n, partials + item * plan.partial_floats, slot);
    }
    slots.give_back(slot);
  });
  if (plan.count_k > 1) {
    const Chunks rows = plan_chunks(p.batch * plan.m, ceil_div(65536, plan.n * plan.count_k));
    parallel(context, rows.count, [&](int64_t chunk) {
      for (int64_t row = rows.begin(chunk); row < rows.end(chunk); ++row) {
        const int64_t item = row / plan.m, i = row % plan.m;
        add_partials(plan, partials + item * plan.partial_floats, bias, y + item * p.m * p.n, i, i + 1);
      }
    });
  }
  if (p.swapped && (p.has_bias || p.relu)) {
    const float shift = p.has_bias ? *input_data<float>(prepared, context, 2) : 0.0f;
    for (int64_t i = 0; i < p.batch * p.m; ++i) y[i] = finish(y[i] + shift, p.relu);
  }
}

void run_dot_products(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<Matmul>(prepared);
  const auto* a = input_data<float>(prepared, context, 0);
  const auto* b = input_data<float>(prepared, context, 1);
  const float* bias = p.has_bias ? input_data<float>(prepared, context, 2) : nullptr;
  auto* y = output_data<float>(prepared, context, 0);
  const auto run_rows = [&](int64_t item, int64_t chunk) {
    const Offsets at = offsets_of(p, item);
    float* to = y + item * p.m * p.n;
    const int64_t begin = p.chunks.begin(chunk), end = p.chunks.end(chunk);
    if (p.swapped) {
      run_dots(b + at.b, p.b.column, p.n, a + at.a, p.a.row, begin, end, p.k,
               [&](int64_t column, int64_t row, float sum) {
                 to[row * p.n + column] = finish(sum + (bias ? bias[column] : 0.0f), p.relu);
               });
    } else {
      run_dots(a + at.a, p.a.row, p.m, b + at.b, p.b.column, begin, end, p.k,
               [&](int64_t row, int64_t column, float sum) {
                 to[row * p.n + column] = finish(sum + (bias ? bias[column] : 0.0f), p.relu);
               });
    }
  };
  parallel(context, p.tasks.count, [&](int64_t task) {
    for (int64_t i = p.tasks.begin(task); i < p.tasks.end(task); ++i) run_rows(i / p.chunks.count, i % p.chunks.count);
  });
}

// ---- integers ----------------------------------------------------------------------------------------------------

// Unsigned arithmetic wraps around where signed arithmetic would be undefined.
template <typename Unsigned>
void run_integers(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<Matmul>(prepared);
  const auto* a = input_data<Unsigned>(prepared, context, 0);
  const auto* b = input_data<Unsigned>(prepared, context, 1);
  const Unsigned* bias = p.has_bias ? input_data<Unsigned>(prepared, context, 2) : nullptr;
  auto* y = output_data<Unsigned>(prepared, context, 0);
  constexpr Unsigned sign = Unsigned{1} << (8 * sizeof(Unsigned) - 1);
  parallel(context, p.chunks.count, [&](int64_t chunk) {
    for (int64_t row = p.chunks.begin(chunk); row < p.chunks.end(chunk); ++row) {
      const Offsets at = offsets_of(p, row / p.m);
      const Unsigned* left = a + at.a + row % p.m * p.a.row;
      Unsigned* to = y + row * p.n;
      for (int64_t j = 0; j < p.n; ++j) to[j] = bias ? bias[j] : 0;
      for (int64_t k = 0; k < p.k; ++k) {
        const Unsigned x = left[k * p.a.column];
        const Unsigned* right = b + at.b + k * p.b.row;
        for (int64_t j = 0; j < p.n; ++j) to[j] += x * right[j * p.b.column];
      }
      for (int64_t j = 0; p.relu && j < p.n; ++j) to[j] = to[j] & sign ? 0 : to[j];
    }
  });
}

// ---- preparing ---------------------------------------------------------------------------------------------------

void run_nothing(const Prepared&, const RunContext&) {}

PolluxResult prepare(const PolluxStep& step, Prepared* prepared) {
  auto* p = make_parameters<Matmul>(prepared);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  describe(step, *p);
  if (p->batch * p->m * p->n == 0) {
    prepared->run = run_nothing;
    return POLLUX_SUCCESS;
  }
  const double work = 2.0 * static_cast<double>(p->m) * static_cast<double>(p->n) * static_cast<double>(max64(1, p->k));
  if (input(step, 0).dtype != POLLUX_FLOAT32) {
    p->chunks =
        plan_chunks(p->batch * p->m, 1 + static_cast<int64_t>(kGrain / 10 / (work / static_cast<double>(p->m))));
    prepared->run = input(step, 0).dtype == POLLUX_INT32 ? run_integers<uint32_t> : run_integers<uint64_t>;
    return POLLUX_SUCCESS;
  }
  const bool rows_lie = p->a.column == 1, columns_lie = p->b.row == 1;  // along k, both
  p->swapped = p->n == 1 && p->m > 1;
  const int64_t few = p->swapped ? p->n : p->m, many = p->swapped ? p->m : p->n;
  if (rows_lie && columns_lie && few <= 2 * kDotRows && p->k >= 2 * kLanes) {
    p->way = Way::kDots;
    const double row_work = 8 * static_cast<double>(few) + work / static_cast<double>(many);  // memory counts too
    p->chunks = plan_chunks(many, round_up(1 + static_cast<int64_t>(kGrain / 4 / row_work), kDotRows));
    const double chunk_work = row_work * static_cast<double>(min64(p->chunks.size, many));
    p->tasks = plan_chunks(p->batch * p->chunks.count, 1 + static_cast<int64_t>(kGrain / 4 / chunk_work), 256);
    prepared->run = run_dot_products;
    return POLLUX_SUCCESS;
  }
  p->way = Way::kTiles;
  p->plan = p->swapped
                ? plan_gemm(1, p->m, p->k, {p->b.column, p->b.row}, {p->a.column, p->a.row}, p->m, false, p->batch)
                : plan_gemm(p->m, p->n, p->k, p->a, p->b, p->n, p->relu, p->batch);
  const int64_t items = p->batch * p->plan.chunks();
  p->chunks = plan_chunks(items, 1 + static_cast<int64_t>(kGrain * static_cast<double>(p->plan.chunks()) / work), 256);
  p->slots = plan_slots(p->plan.slot_floats, p->chunks.count);
  prepared->scratch_bytes =
      4 * static_cast<uint64_t>(round_up(p->batch * p->plan.partial_floats, 16) + p->slots.floats());
  prepared->run = run_tiles;
  return POLLUX_SUCCESS;
}

const Kernel kernels[] = {
    {{"matmul", dtype_bit(POLLUX_FLOAT32) | dtype_bit(POLLUX_INT32) | dtype_bit(POLLUX_INT64), POLLUX_MATRIX_INPUTS,
      "bias;relu"},
     prepare},
};

}  // namespace

extern const KernelTable matmul_kernels = {kernels, 1};

}  // namespace pollux::POLLUX_LEVEL
