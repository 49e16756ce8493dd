// C[M, N] = A[M, K] B[K, N] (+ bias[N], relu), float32, for one matrix or a batch: the plan (how the work is cut and
// what is packed, by shape alone) and the work of one chunk.
//
// A is read where it lies (transposed, it is copied into L1 tile by tile); a block of B that fits in L2 is packed into
// panels, unless few rows of A would use it. After Goto and van de Geijn, "Anatomy of High-Performance Matrix
// Multiplication" (2008), with the roles of A and B exchanged.
#pragma once
#include "gemm_pack.h"
#include "gemm_slots.h"
#include "gemm_tile.h"

namespace pollux {
namespace {

// A matrix as the kernels see it: element (i, j) at data[i * row + j * column], one of the strides being 1.
struct MatrixLayout {
  int64_t row;
  int64_t column;
};

constexpr int64_t kMostDepth = 384;        // a tile of A and the panel of B in use share L1
constexpr int64_t kMostGroup = 32 * 1024;  // floats of packed tiles of A
constexpr int64_t kDirectRows = 128;       // up to so many rows of A, packing B costs more than it saves

struct GemmPlan {
  int64_t m, n, k;
  bool a_columns;  // A(i, k) is contiguous along i
  bool b_columns;  // B(k, j) is contiguous along k
  int64_t lda, ldb, ldc;
  bool direct_b;  // B is used where it lies
  bool pack_a;    // tiles of A are copied first, `group` of them at a time
  int64_t group;
  int64_t packed_tile;                // floats of a packed tile of A
  int tile_rows;                      // rows of a tile
  int64_t block_m, block_n, block_k;  // a chunk: rows (whole tiles), columns (whole panels), depth
  int64_t depth;                      // depth of one pass over the chunk
  int64_t count_m, count_n, count_k;
  int64_t slot_floats;     // scratch of a running chunk
  int64_t partial_floats;  // partial products of count_k > 1, for one matrix
  int flags;               // kRelu

  int64_t chunks() const { return count_m * count_n * count_k; }
};

// Rows a multiple of 4 KiB apart meet in the same sets of L1.
inline bool meet_in_cache(int64_t stride) {
  const int64_t apart = stride * 4 % 4096;
  return stride >= 1024 && (apart < 256 || apart > 3840);
}

// Cuts by shape alone. The model, in nanoseconds of one core: arithmetic, packing of B (once for each row of chunks),
// reading of A (once for each column of chunks), partial sums, the imbalance that few chunks leave, and a start.
inline void plan_blocks(GemmPlan& plan, int64_t batch) {
  const int64_t tiles = ceil_div(plan.m, plan.tile_rows);
  const int64_t panels = ceil_div(plan.n, kPanel);
  const double work =
      2.0 * static_cast<double>(plan.m) * static_cast<double>(plan.n) * static_cast<double>(plan.k) / (6.0 * kLanes);
  const double b_bytes = 4.0 * static_cast<double>(plan.n) * static_cast<double>(plan.k);
  const double a_bytes = 4.0 * static_cast<double>(plan.m) * static_cast<double>(plan.k);
  const double b_cost = b_bytes * (plan.b_columns ? 0.07 : plan.direct_b ? 0.02 : 0.06);
  double least = 1e300;
  for (int64_t parts = 1; parts <= 16; ++parts) {
    // A sum is cut only where it is long and the product small: long enough that partial sums cost little.
    if (parts > 1 && (plan.k < parts * 256 || plan.m * plan.n > 256 * 256)) break;
    const int64_t block_k = ceil_div(plan.k, parts);
    const int64_t depth = max64(1, ceil_div(block_k, max64(1, ceil_div(block_k, kMostDepth))));
    for (int64_t cut_m = 1; cut_m <= min64(tiles, 32); ++cut_m) {
      const int64_t tiles_here = ceil_div(tiles, cut_m);
      if (ceil_div(tiles, tiles_here) != cut_m) continue;
      for (int64_t cut_n = 1; cut_n <= min64(panels, 64); ++cut_n) {
        const int64_t panels_here = ceil_div(panels, cut_n);
        if (ceil_div(panels, panels_here) != cut_n) continue;
        if (!plan.direct_b && panels_here > 1 && panels_here * kPanel * depth > kMostBlock) continue;
        const double chunks = static_cast<double>(cut_m * cut_n * parts * batch);
        const double cost = (work + static_cast<double>(cut_m) * b_cost +
                             static_cast<double>(cut_n) * a_bytes * (plan.a_columns ? 0.1 : 0.05) +
                             (parts > 1 ? 0.4 * static_cast<double>(plan.m * plan.n * parts) : 0)) *
                                (1 + 1.5 / chunks) * static_cast<double>(batch) +
                            chunks * 1000;
        if (cost >= least) continue;
        least = cost;
        plan.block_k = max64(1, block_k);
        plan.depth = depth;
        plan.block_m = tiles_here * plan.tile_rows;
        plan.block_n = panels_here * kPanel;
        plan.count_m = cut_m;
        plan.count_n = cut_n;
        plan.count_k = parts;
      }
    }
  }
}

// Strides of the operands come in layouts. C is row-major with leading dimension ldc. M and N are at least 1.
inline GemmPlan plan_gemm(int64_t m, int64_t n, int64_t k, MatrixLayout a, MatrixLayout b, int64_t ldc, bool relu,
                          int64_t batch) {
  GemmPlan plan{};
  plan.m = m;
  plan.n = n;
  plan.k = k;
  plan.a_columns = a.column != 1 && k > 1;
  plan.b_columns = b.column != 1 && n > 1;
  plan.lda = plan.a_columns ? a.column : a.row;
  plan.ldb = plan.b_columns ? b.column : b.row;
  plan.ldc = ldc;
  plan.flags = relu ? kRelu : 0;
  plan.tile_rows = balanced_rows(m);
  plan.direct_b = !plan.b_columns && m <= (meet_in_cache(plan.ldb) ? kTileRows : kDirectRows);
  plan_blocks(plan, batch);
  plan.partial_floats = plan.count_k > 1 ? plan.count_k * m * n : 0;
  plan.pack_a = plan.block_n > 2 * kPanel && (plan.a_columns || meet_in_cache(plan.lda));
  plan.packed_tile = plan.a_columns ? plan.depth * kLanes : plan.tile_rows * (plan.depth + 16);
  plan.group = max64(1, min64(ceil_div(plan.block_m, plan.tile_rows), kMostGroup / plan.packed_tile));
  const int64_t a_floats = plan.pack_a ? plan.group * plan.packed_tile : 0;
  const int64_t b_floats = plan.direct_b ? 0 : plan.depth * plan.block_n;
  plan.slot_floats = round_up(a_floats + b_floats, 16);
  return plan;
}

// Packs columns [j, j + columns) of rows [k, k + depth) of B into panels of depth * kPanel floats each.
inline void pack_b(const GemmPlan& plan, const float* b, int64_t k, int64_t depth, int64_t j, int64_t columns,
                   float* to) {
  if (!plan.b_columns) {
    pack_rows(b + k * plan.ldb + j, plan.ldb, columns, 0, depth, to, depth * kPanel);
    return;
  }
  for (int64_t q = 0; q < columns; q += kPanel, to += depth * kPanel) {
    const int64_t here = min64(kPanel, columns - q);
    pack_transposed(b + (j + q) * plan.ldb + k, plan.ldb, here, depth, to, here <= kLanes ? kLanes : kPanel);
  }
}

// Chunk `id` of the product of one matrix. `c` is C, or this chunk's partial product (then ldc = n and no bias).
inline void run_gemm_chunk(const GemmPlan& plan, int64_t id, const float* a, const float* b, const float* bias,
                           float* c, float* partial, float* slot) {
  const int64_t part = id % plan.count_k;
  const int64_t i0 = id / plan.count_k % plan.count_m * plan.block_m;
  const int64_t j0 = id / plan.count_k / plan.count_m * plan.block_n;
  const int64_t i1 = min64(plan.m, i0 + plan.block_m);
  const int64_t columns = min64(plan.n - j0, plan.block_n);
  const int64_t k_end = min64(plan.k, (part + 1) * plan.block_k);
  const bool whole = plan.count_k == 1;
  const int64_t ldc = whole ? plan.ldc : plan.n;
  if (!whole) c = partial + part * plan.m * plan.n;
  float* packed_b = slot;
  float* packed_a = slot + (plan.direct_b ? 0 : plan.depth * plan.block_n);
  int64_t k = part * plan.block_k;
  const int64_t k_begin = k;
  do {
    const int64_t depth = max64(0, min64(plan.depth, k_end - k));
    const bool last = k + depth >= k_end;
    const int flags = (k > k_begin ? kAccumulate : 0) | (last && whole ? plan.flags : 0);
    if (!plan.direct_b) pack_b(plan, b, k, depth, j0, columns, packed_b);
    for (int64_t i = i0; i < i1; i += plan.tile_rows) {
      const int rows = static_cast<int>(min64(plan.tile_rows, plan.m - i));
      View view{plan.a_columns ? a + k * plan.lda + i : a + i * plan.lda + k, plan.lda, static_cast<int32_t>(depth), 1,
                0};
      if (plan.pack_a) {
        const int64_t tile = (i - i0) / plan.tile_rows % plan.group;
        const int64_t here = min64(i1 - i, plan.group * plan.tile_rows);
        view.step = plan.a_columns ? kLanes : plan.depth + 16;
        if (tile == 0 && plan.a_columns) pack_columns(view.data, plan.lda, here, plan.tile_rows, depth, packed_a);
        if (tile == 0 && !plan.a_columns) copy_rows(view.data, plan.lda, here, depth, packed_a, view.step);
        view.data = packed_a + tile * (plan.a_columns ? depth * kLanes : plan.packed_tile);
      }
      for (int64_t q = 0; q < columns; q += kPanel) {
        const int64_t here = min64(kPanel, columns - q);
        const float* panel = plan.direct_b ? b + k * plan.ldb + j0 + q : packed_b + q * depth;
        const int64_t ldb = plan.direct_b ? plan.ldb : here <= kLanes ? kLanes : kPanel;
        run_tile(plan.a_columns, rows, here, view, panel, ldb, c + i * ldc + j0 + q, ldc, flags,
                 last && whole && bias ? bias + j0 + q : nullptr);
      }
    }
    k += plan.depth;
  } while (k < k_end);
}

// C = sum of the partial products in their order (+ bias, relu), rows [begin, end).
inline void add_partials(const GemmPlan& plan, const float* partial, const float* bias, float* c, int64_t begin,
                         int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    for (int64_t j = 0; j < plan.n; j += kLanes) {
      const Tail tail = vec_tail(plan.n - j);
      const float* from = partial + i * plan.n + j;
      Vec sum = vec_load(from, tail);
      for (int64_t part = 1; part < plan.count_k; ++part)
        sum = vec_add(sum, vec_load(from + part * plan.m * plan.n, tail));
      if (bias) sum = vec_add(sum, vec_load(bias + j, tail));
      if (plan.flags & kRelu) sum = vec_relu(sum);
      vec_store(c + i * plan.ldc + j, sum, tail);
    }
  }
}

}  // namespace
}  // namespace pollux
