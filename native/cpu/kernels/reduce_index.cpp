// argmax and argmin along one axis: the first of equals, and the first NaN where there is one. The result is int32.
#include "../reduction.h"

namespace pollux::POLLUX_LEVEL {
namespace {

// True where b takes the place of a. A NaN beats every number and is never beaten.
template <typename T, bool largest>
inline bool beats(T b, T a) {
  return (largest ? b > a : b < a) | ((b != b) & (a == a));
}

template <typename T, bool largest>
inline int32_t place_in_row(const T* row, int64_t stride, int64_t n) {
  T best = row[0];
  int32_t place = 0;
  for (int64_t i = 1; i < n; ++i) {
    const T x = row[i * stride];
    if (beats<T, largest>(x, best)) best = x, place = static_cast<int32_t>(i);
  }
  return place;
}

template <typename T, bool largest>
inline void places_in_columns(const T* rows, int64_t stride, int64_t n, int64_t width, int32_t* places) {
  T best[block_columns];
  for (int64_t j = 0; j < width; ++j) best[j] = rows[j], places[j] = 0;
  for (int64_t i = 1; i < n; ++i) {
    const T* x = rows + i * stride;
    for (int64_t j = 0; j < width; ++j) {
      const bool better = beats<T, largest>(x[j], best[j]);
      best[j] = better ? x[j] : best[j];
      places[j] = better ? static_cast<int32_t>(i) : places[j];
    }
  }
}

template <typename T, bool largest>
void run(const Prepared& prepared, const RunContext& context) {
  const Reduction& r = parameters<Reduction>(prepared);
  const T* from = input_data<T>(prepared, context, 0);
  int32_t* to = output_data<int32_t>(prepared, context, 0);
  const int64_t length = r.reduced.count, stride = r.reduced.stride[0][0];
  if (length == 0) return;  // the ops refuse an empty axis
  parallel(context, r.unit_chunks.count, [&](int64_t chunk) {
    for (int64_t u = r.unit_chunks.begin(chunk); u < r.unit_chunks.end(chunk); ++u) {
      const Unit unit = locate_unit(r, u);
      if (!r.columns) {
        to[unit.to] = place_in_row<T, largest>(from + unit.from, stride, length);
        continue;
      }
      int32_t places[block_columns];
      places_in_columns<T, largest>(from + unit.from, stride, length, unit.width, places);
      const int64_t to_stride = r.kept.stride[1][r.kept.rank - 1];
      for (int64_t j = 0; j < unit.width; ++j) to[unit.to + j * to_stride] = places[j];
    }
  });
}

template <bool largest>
PolluxResult prepare(const PolluxStep& step, Prepared* prepared) {
  Reduction* r = make_parameters<Reduction>(prepared);
  if (!r) return POLLUX_OUT_OF_MEMORY;
  bool reduced[POLLUX_MAX_RANK] = {};
  reduced[integer(step, "axis")] = true;
  *r = plan_reduction(input(step, 0), reduced, false);
  switch (input(step, 0).dtype) {
    case POLLUX_FLOAT32:
      prepared->run = run<float, largest>;
      return POLLUX_SUCCESS;
    case POLLUX_INT32:
      prepared->run = run<int32_t, largest>;
      return POLLUX_SUCCESS;
    case POLLUX_INT64:
      prepared->run = run<int64_t, largest>;
      return POLLUX_SUCCESS;
    default:
      return POLLUX_UNSUPPORTED;
  }
}

constexpr uint32_t computed = dtype_bit(POLLUX_FLOAT32) | dtype_bit(POLLUX_INT32) | dtype_bit(POLLUX_INT64);

const Kernel kernels[] = {{{"argmax", computed, POLLUX_STRIDED_INPUTS, nullptr}, prepare<true>},
                          {{"argmin", computed, POLLUX_STRIDED_INPUTS, nullptr}, prepare<false>}};

}  // namespace

extern const KernelTable reduce_index_kernels = {kernels, 2};

}  // namespace pollux::POLLUX_LEVEL
