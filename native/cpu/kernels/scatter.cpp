// scatterAdd and scatterAlong: x with updates added at indices, in the order of the indices. Each thread owns a range
// of the output and goes through all indices, so the order of additions is that of one thread.
#include "../indexing.h"

namespace pollux::POLLUX_LEVEL {
namespace {

// Integers wrap: they are added unsigned.
template <typename T, typename Index>
void scatter_add(const Prepared& prepared, const RunContext& context) {
  const Indexing& p = parameters<Indexing>(prepared);
  const T* x = input_data<T>(prepared, context, 0);
  const Index* indices = input_data<Index>(prepared, context, 1);
  const T* updates = input_data<T>(prepared, context, 2);
  T* y = output_data<T>(prepared, context, 0);
  const int64_t step = ceil_div(p.axis, p.pieces);
  parallel(context, p.outer * p.pieces, [&](int64_t task) {
    const int64_t outer = task / p.pieces, piece = task % p.pieces;
    const int64_t begin = min64(p.axis, piece * step), end = min64(p.axis, begin + step);
    T* to = y + outer * p.axis * p.inner;
    const T* from = x + outer * p.axis * p.inner;
    if (to != from)
      memcpy(to + begin * p.inner, from + begin * p.inner, static_cast<size_t>((end - begin) * p.inner) * sizeof(T));
    for (int64_t i = 0; i < p.count; ++i) {
      const int64_t place = indices[i] < 0 ? indices[i] + p.axis : indices[i];
      if (place < 0 || place >= p.axis) {
        if (piece == 0) report(prepared, context, POLLUX_INDEX_OUT_OF_RANGE, i, indices[i]);
        continue;
      }
      if (place < begin || place >= end) continue;
      const T* __restrict update = updates + (outer * p.count + i) * p.inner;
      T* __restrict target = to + place * p.inner;
      for (int64_t k = 0; k < p.inner; ++k) target[k] += update[k];
    }
  });
}

template <typename T, typename Index>
void scatter_along(const Prepared& prepared, const RunContext& context) {
  const Indexing& p = parameters<Indexing>(prepared);
  const T* x = input_data<T>(prepared, context, 0);
  const Index* indices = input_data<Index>(prepared, context, 1);
  const T* updates = input_data<T>(prepared, context, 2);
  T* y = output_data<T>(prepared, context, 0);
  const Chunks chunks = plan_chunks(p.outer, ceil_div(16384, max64(1, p.inner * max64(p.count, p.axis))));
  parallel(context, chunks.count, [&](int64_t chunk) {
    for (int64_t outer = chunks.begin(chunk); outer < chunks.end(chunk); ++outer) {
      T* to = y + outer * p.axis * p.inner;
      const T* from = x + outer * p.axis * p.inner;
      if (to != from) memcpy(to, from, static_cast<size_t>(p.axis * p.inner) * sizeof(T));
      for (int64_t e = outer * p.count * p.inner; e < (outer + 1) * p.count * p.inner; ++e) {
        const int64_t place = indices[e] < 0 ? indices[e] + p.axis : indices[e];
        if (place < 0 || place >= p.axis)
          report(prepared, context, POLLUX_INDEX_OUT_OF_RANGE, e, indices[e]);
        else
          to[place * p.inner + e % p.inner] += updates[e];
      }
    }
  });
}

template <bool along, typename T>
void choose(bool wide, Prepared* prepared) {
  if (along)
    prepared->run = wide ? scatter_along<T, int64_t> : scatter_along<T, int32_t>;
  else
    prepared->run = wide ? scatter_add<T, int64_t> : scatter_add<T, int32_t>;
}

template <bool along>
PolluxResult prepare(const PolluxStep& step, Prepared* prepared) {
  Indexing* p = make_parameters<Indexing>(prepared);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  *p = plan_indexing(step, along);
  const bool wide = input(step, 1).dtype == POLLUX_INT64;
  switch (input(step, 0).dtype) {
    case POLLUX_FLOAT32:
      choose<along, float>(wide, prepared);
      return POLLUX_SUCCESS;
    case POLLUX_INT32:
      choose<along, uint32_t>(wide, prepared);
      return POLLUX_SUCCESS;
    case POLLUX_INT64:
      choose<along, uint64_t>(wide, prepared);
      return POLLUX_SUCCESS;
    default:
      return POLLUX_UNSUPPORTED;
  }
}

constexpr uint32_t computed = dtype_bit(POLLUX_FLOAT32) | dtype_bit(POLLUX_INT32) | dtype_bit(POLLUX_INT64);

const Kernel kernels[] = {{{"scatterAdd", computed, 0, nullptr}, prepare<false>},
                          {{"scatterAlong", computed, 0, nullptr}, prepare<true>}};

}  // namespace

extern const KernelTable scatter_kernels = {kernels, 2};

}  // namespace pollux::POLLUX_LEVEL
