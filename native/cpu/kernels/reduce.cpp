// sum, sumSquares, prod, max, min, any, all over any axes.
//
// Elements are accumulated in blocks of fixed shape, in float32 for float32, and the blocks are added to totals in
// double: the error does not grow with the length. Cuts depend on the shape alone, partial totals are merged in order,
// and the lanes of a block are folded by halves: the bits depend neither on threads nor on the level.
#include "../reduction.h"

namespace pollux::POLLUX_LEVEL {
namespace {

constexpr int64_t fold_lanes = 64;

template <typename T>
struct Lowest;
template <>
struct Lowest<float> {
  static constexpr float low = -INFINITY, high = INFINITY;
};
template <>
struct Lowest<int32_t> {
  static constexpr int32_t low = INT32_MIN, high = INT32_MAX;
};
template <>
struct Lowest<int64_t> {
  static constexpr int64_t low = INT64_MIN, high = INT64_MAX;
};

// Sums and products of integers wrap: they are computed unsigned.
template <typename T>
struct Wide {
  using Value = T;
  using Total = T;
};
template <>
struct Wide<float> {
  using Value = float;
  using Total = double;
};
template <>
struct Wide<int32_t> {
  using Value = uint32_t;
  using Total = uint32_t;
};
template <>
struct Wide<int64_t> {
  using Value = uint64_t;
  using Total = uint64_t;
};

template <typename T>
struct Sum {
  using Element = typename Wide<T>::Value;
  using Total = typename Wide<T>::Total;
  static constexpr Element neutral = 0;
  template <typename A>
  static A combine(A a, A b) {
    return a + b;
  }
};
/// The sum of squares, which are rounded as `square` rounds them: the bits are those of the two ops.
struct SumSquares : Sum<float> {};

template <typename T>
struct Prod {
  using Element = typename Wide<T>::Value;
  using Total = typename Wide<T>::Total;
  static constexpr Element neutral = 1;
  template <typename A>
  static A combine(A a, A b) {
    return a * b;
  }
};
// A NaN is taken over from either side: no comparison replaces it.
template <typename T>
struct Max {
  using Element = T;
  using Total = T;
  static constexpr T neutral = Lowest<T>::low;
  static T combine(T a, T b) { return ((b > a) | (b != b)) ? b : a; }
};
template <typename T>
struct Min {
  using Element = T;
  using Total = T;
  static constexpr T neutral = Lowest<T>::high;
  static T combine(T a, T b) { return ((b < a) | (b != b)) ? b : a; }
};
struct Any {
  using Element = uint8_t;
  using Total = uint8_t;
  static constexpr uint8_t neutral = 0;
  static uint8_t combine(uint8_t a, uint8_t b) { return (a | b) != 0; }
};
struct All {
  using Element = uint8_t;
  using Total = uint8_t;
  static constexpr uint8_t neutral = 1;
  static uint8_t combine(uint8_t a, uint8_t b) { return (a != 0) & (b != 0); }
};

/// An element as the reduction takes it.
template <typename Op, typename T>
inline T taken(T x) {
  if constexpr (__is_same(Op, SumSquares))
    return x * x;
  else
    return x;
}

template <typename Op, typename T = typename Op::Element>
inline T fold_block(const T* x, int64_t n) {
  T lanes[fold_lanes];
  for (int64_t j = 0; j < fold_lanes; ++j) lanes[j] = Op::neutral;
  int64_t i = 0;
  for (; i + fold_lanes <= n; i += fold_lanes)
    for (int64_t j = 0; j < fold_lanes; ++j) lanes[j] = Op::combine(lanes[j], taken<Op>(x[i + j]));
  for (int64_t j = 0; i + j < n; ++j) lanes[j] = Op::combine(lanes[j], taken<Op>(x[i + j]));
  for (int64_t half = min64(fold_lanes, n) > 32 ? 32 : 16; half > 0; half /= 2)
    for (int64_t j = 0; j < half; ++j) lanes[j] = Op::combine(lanes[j], lanes[j + half]);
  return lanes[0];
}

template <typename Op>
void reduce_row(const Reduction& r, const typename Op::Element* unit, int64_t begin, int64_t end,
                typename Op::Total* total) {
  using T = typename Op::Element;
  using Total = typename Op::Total;
  T buffer[block_length];
  for (int64_t i = begin; i < end; i += block_length) {
    const int64_t n = min64(block_length, end - i);
    *total = Op::combine(*total, static_cast<Total>(fold_block<Op>(reduced_block(r, unit, i, n, buffer), n)));
  }
}

template <typename Op, typename T = typename Op::Element>
inline void add_rows(const T* rows, int64_t stride, int64_t count, int64_t width, T* __restrict sums) {
  for (int64_t row = 0; row < count; ++row, rows += stride)
    for (int64_t j = 0; j < width; ++j) sums[j] = Op::combine(sums[j], taken<Op>(rows[j]));
}

template <typename Op>
void reduce_columns(const Reduction& r, const typename Op::Element* unit, int64_t width, int64_t begin, int64_t end,
                    typename Op::Total* totals) {
  using T = typename Op::Element;
  using Total = typename Op::Total;
  const Layout& l = r.reduced;
  const int64_t stride = l.stride[0][l.rank - 1];
  // Narrow rows that follow one another are taken several at a time, as one wide row.
  const int64_t together = l.rank == 1 && stride == width ? max64(1, 128 / width) : 1;
  T sums[block_columns];
  for (int64_t i = begin; i < end; i += block_rows * together) {
    const int64_t n = min64(block_rows * together, end - i), wide = n / together;
    for (int64_t j = 0; j < width * together; ++j) sums[j] = Op::neutral;
    visit_rows(l, 0, i, wide * together, [&](int64_t offset, int64_t count) {
      add_rows<Op>(unit + offset, stride * together, count / together, width * together, sums);
    });
    if (wide * together < n)
      add_rows<Op>(unit + (i + wide * together) * stride, stride, n - wide * together, width, sums);
    for (int64_t k = 0; k < together; ++k)
      for (int64_t j = 0; j < width; ++j) totals[j] = Op::combine(totals[j], static_cast<Total>(sums[k * width + j]));
  }
}

template <typename Op>
void run(const Prepared& prepared, const RunContext& context) {
  using T = typename Op::Element;
  using Total = typename Op::Total;
  const Reduction& r = parameters<Reduction>(prepared);
  const T* from = input_data<T>(prepared, context, 0);
  T* to = output_data<T>(prepared, context, 0);
  Total* partial = static_cast<Total*>(context.scratch);  // [units][length chunks][width]
  const int64_t stride = r.columns ? r.kept.stride[1][r.kept.rank - 1] : 0;
  const int64_t pieces = max64(1, r.length_chunks.count);
  parallel(context, r.unit_chunks.count * pieces, [&](int64_t task) {
    const int64_t piece = task % pieces;
    for (int64_t u = r.unit_chunks.begin(task / pieces); u < r.unit_chunks.end(task / pieces); ++u) {
      const Unit unit = locate_unit(r, u);
      Total local[block_columns];
      Total* totals = pieces > 1 ? partial + (u * pieces + piece) * r.width : local;
      for (int64_t j = 0; j < unit.width; ++j) totals[j] = Op::neutral;
      const int64_t begin = r.length_chunks.begin(piece), end = r.length_chunks.end(piece);
      if (r.columns)
        reduce_columns<Op>(r, from + unit.from, unit.width, begin, end, totals);
      else
        reduce_row<Op>(r, from + unit.from, begin, end, totals);
      if (pieces == 1)
        for (int64_t j = 0; j < unit.width; ++j) to[unit.to + j * stride] = static_cast<T>(totals[j]);
    }
  });
  if (pieces == 1) return;
  for (int64_t u = 0; u < r.units; ++u) {
    const Unit unit = locate_unit(r, u);
    for (int64_t j = 0; j < unit.width; ++j) {
      Total total = Op::neutral;
      for (int64_t piece = 0; piece < pieces; ++piece)
        total = Op::combine(total, partial[(u * pieces + piece) * r.width + j]);
      to[unit.to + j * stride] = static_cast<T>(total);
    }
  }
}

template <typename Op>
PolluxResult prepare_with(const PolluxStep& step, Prepared* prepared) {
  Reduction* r = make_parameters<Reduction>(prepared);
  if (!r) return POLLUX_OUT_OF_MEMORY;
  bool reduced[POLLUX_MAX_RANK] = {};
  read_axes(step, "axes", reduced);
  *r = plan_reduction(input(step, 0), reduced, true);
  if (r->length_chunks.count > 1)
    prepared->scratch_bytes =
        sizeof(typename Op::Total) * static_cast<uint64_t>(r->units * r->length_chunks.count * r->width);
  prepared->run = run<Op>;
  return POLLUX_SUCCESS;
}

template <template <typename> typename Op>
PolluxResult prepare_number(const PolluxStep& step, Prepared* prepared) {
  switch (input(step, 0).dtype) {
    case POLLUX_FLOAT32:
      return prepare_with<Op<float>>(step, prepared);
    case POLLUX_INT32:
      return prepare_with<Op<int32_t>>(step, prepared);
    case POLLUX_INT64:
      return prepare_with<Op<int64_t>>(step, prepared);
    default:
      return POLLUX_UNSUPPORTED;
  }
}

constexpr uint32_t computed = dtype_bit(POLLUX_FLOAT32) | dtype_bit(POLLUX_INT32) | dtype_bit(POLLUX_INT64);
constexpr uint32_t truth = dtype_bit(POLLUX_BOOL);

const Kernel kernels[] = {
    {{"sum", computed, POLLUX_STRIDED_INPUTS, nullptr}, prepare_number<Sum>},
    {{"sumSquares", dtype_bit(POLLUX_FLOAT32), POLLUX_STRIDED_INPUTS, nullptr}, prepare_with<SumSquares>},
    {{"prod", computed, POLLUX_STRIDED_INPUTS, nullptr}, prepare_number<Prod>},
    {{"max", computed, POLLUX_STRIDED_INPUTS, nullptr}, prepare_number<Max>},
    {{"min", computed, POLLUX_STRIDED_INPUTS, nullptr}, prepare_number<Min>},
    {{"any", truth, POLLUX_STRIDED_INPUTS, nullptr}, prepare_with<Any>},
    {{"all", truth, POLLUX_STRIDED_INPUTS, nullptr}, prepare_with<All>},
};

}  // namespace

extern const KernelTable reduce_kernels = {kernels, sizeof kernels / sizeof kernels[0]};

}  // namespace pollux::POLLUX_LEVEL
