// constant and iota: values from attributes alone.
#include "../convert.h"
#include "../layout.h"

namespace pollux::POLLUX_LEVEL {
namespace {

struct Source {
  uint64_t value;  // the bytes of one element
  int64_t bytes;
  int64_t axis, inner;  // iota: length of the axis, elements of one step along it
  Chunks chunks;        // of elements
};

void run_constant(const Prepared& prepared, const RunContext& context) {
  const Source& p = parameters<Source>(prepared);
  visit_size(p.bytes, [&](auto value) {
    memcpy(&value, &p.value, sizeof value);
    auto* y = output_data<decltype(value)>(prepared, context, 0);
    parallel(context, p.chunks.count, [&](int64_t chunk) {
      const int64_t begin = p.chunks.begin(chunk);
      copy_row(&value, 0, y + begin, 1, p.chunks.end(chunk) - begin);
    });
  });
}

void run_iota(const Prepared& prepared, const RunContext& context) {
  const Source& p = parameters<Source>(prepared);
  visit_dtype(output(*prepared.step, 0).dtype, [&](auto zero) {
    using T = decltype(zero);
    T* y = output_data<T>(prepared, context, 0);
    parallel(context, p.chunks.count, [&](int64_t chunk) {
      for (int64_t i = p.chunks.begin(chunk); i < p.chunks.end(chunk); ++i) y[i] = Make<T>::of(i / p.inner % p.axis);
    });
  });
}

template <bool is_iota>
PolluxResult prepare(const PolluxStep& step, Prepared* prepared) {
  Source* p = make_parameters<Source>(prepared);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  const PolluxOperand& y = output(step, 0);
  p->bytes = byte_size(y.dtype);
  p->chunks = plan_chunks(element_count(y), 65536);
  if (is_iota) {
    const int axis = static_cast<int>(integer(step, "axis"));
    p->axis = max64(1, y.shape[axis]);
    p->inner = max64(1, extent(y, axis + 1, y.rank));
  } else {
    write_element(y.dtype, number(step, "value"), &p->value);
  }
  prepared->run = is_iota ? run_iota : run_constant;
  return POLLUX_SUCCESS;
}

const Kernel kernels[] = {{{"constant", all_dtypes, 0, nullptr}, prepare<false>},
                          {{"iota", all_dtypes, 0, nullptr}, prepare<true>}};

}  // namespace

extern const KernelTable source_kernels = {kernels, 2};

}  // namespace pollux::POLLUX_LEVEL
