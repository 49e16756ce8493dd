// searchSorted: where each value would go into a sorted row. A NaN is greater than every number.
#include "../kernel.h"

namespace pollux::POLLUX_LEVEL {
namespace {

struct Search {
  int64_t length, count;  // of a sorted row, and of the values that are looked up in it
  Chunks chunks;          // of all values
};

template <typename T>
inline bool less(T a, T b) {
  return a < b || (b != b && a == a);
}

template <typename T, bool right>
void run(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<Search>(prepared);
  const T* sorted = input_data<T>(prepared, context, 0);
  const T* values = input_data<T>(prepared, context, 1);
  int32_t* places = output_data<int32_t>(prepared, context, 0);
  parallel(context, p.chunks.count, [&](int64_t chunk) {
    for (int64_t e = p.chunks.begin(chunk); e < p.chunks.end(chunk); ++e) {
      const T* row = sorted + e / p.count * p.length;
      const T value = values[e];
      int64_t low = 0;
      for (int64_t left = p.length; left > 0;) {  // left: elements whose side is not known
        const int64_t half = left / 2;
        const bool after = right ? !less(value, row[low + half]) : less(row[low + half], value);
        low = after ? low + half + 1 : low;
        left = after ? left - half - 1 : half;
      }
      places[e] = static_cast<int32_t>(low);
    }
  });
}

template <typename T>
PolluxResult prepare_for(bool right, Prepared* prepared) {
  prepared->run = right ? run<T, true> : run<T, false>;
  return POLLUX_SUCCESS;
}

PolluxResult prepare(const PolluxStep& step, Prepared* prepared) {
  auto* p = make_parameters<Search>(prepared);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  const PolluxOperand &sorted = input(step, 0), &values = input(step, 1);
  p->length = sorted.shape[sorted.rank - 1];
  p->count = values.shape[values.rank - 1];
  p->chunks = plan_chunks(element_count(values), 2048);
  const bool right = boolean(step, "right");
  switch (sorted.dtype) {
    case POLLUX_FLOAT32:
      return prepare_for<float>(right, prepared);
    case POLLUX_INT32:
      return prepare_for<int32_t>(right, prepared);
    case POLLUX_INT64:
      return prepare_for<int64_t>(right, prepared);
    default:
      return POLLUX_UNSUPPORTED;
  }
}

constexpr uint32_t computed = dtype_bit(POLLUX_FLOAT32) | dtype_bit(POLLUX_INT32) | dtype_bit(POLLUX_INT64);

const Kernel kernels[] = {{{"searchSorted", computed, 0, nullptr}, prepare}};

}  // namespace

extern const KernelTable search_kernels = {kernels, 1};

}  // namespace pollux::POLLUX_LEVEL
