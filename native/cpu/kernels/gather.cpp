// gather, takeAlong and embedding: elements picked by index along one axis. Elements move by size, so every dtype is
// served.
#include "../indexing.h"

namespace pollux::POLLUX_LEVEL {
namespace {

template <typename Index>
void gather(const Prepared& prepared, const RunContext& context) {
  const Indexing& p = parameters<Indexing>(prepared);
  const char* x = input_data<char>(prepared, context, 0);
  const Index* indices = input_data<Index>(prepared, context, 1);
  char* y = output_data<char>(prepared, context, 0);
  const size_t slice = static_cast<size_t>(p.inner * p.bytes);
  parallel(context, p.chunks.count, [&](int64_t chunk) {
    for (int64_t item = p.chunks.begin(chunk); item < p.chunks.end(chunk); ++item) {
      const int64_t outer = item / p.count, i = item % p.count;
      const int64_t place = checked_index(prepared, context, p, indices[i], i);
      char* to = y + static_cast<size_t>(item) * slice;
      if (p.axis == 0) {
        memset(to, 0, slice);  // an index into nothing: already reported
        continue;
      }
      const char* from = x + static_cast<size_t>(outer * p.axis + place) * slice;
      if (slice == 4)
        memcpy(to, from, 4);
      else if (slice == 8)
        memcpy(to, from, 8);
      else
        memcpy(to, from, slice);
    }
  });
}

template <typename Index>
void take_along(const Prepared& prepared, const RunContext& context) {
  const Indexing& p = parameters<Indexing>(prepared);
  const Index* indices = input_data<Index>(prepared, context, 1);
  visit_size(p.bytes, [&](auto size) {
    using T = decltype(size);
    const T* x = input_data<T>(prepared, context, 0);
    T* y = output_data<T>(prepared, context, 0);
    parallel(context, p.chunks.count, [&](int64_t chunk) {
      for (int64_t item = p.chunks.begin(chunk); item < p.chunks.end(chunk); ++item) {  // one row of inner elements
        const int64_t outer = item / p.count;
        for (int64_t k = 0; k < p.inner; ++k) {
          const int64_t e = item * p.inner + k;
          const int64_t place = checked_index(prepared, context, p, indices[e], e);
          y[e] = p.axis == 0 ? T{0} : x[(outer * p.axis + place) * p.inner + k];
        }
      }
    });
  });
}

/// A gather along the first axis that knows no indices from the end.
PolluxResult prepare_embedding(const PolluxStep& step, Prepared* prepared) {
  Indexing* p = make_parameters<Indexing>(prepared);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  *p = plan_indexing(step, false);
  p->from_end = false;
  prepared->run = input(step, 1).dtype == POLLUX_INT64 ? gather<int64_t> : gather<int32_t>;
  return POLLUX_SUCCESS;
}

template <bool along>
PolluxResult prepare(const PolluxStep& step, Prepared* prepared) {
  Indexing* p = make_parameters<Indexing>(prepared);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  *p = plan_indexing(step, along);
  const bool wide = input(step, 1).dtype == POLLUX_INT64;
  if (along)
    prepared->run = wide ? take_along<int64_t> : take_along<int32_t>;
  else
    prepared->run = wide ? gather<int64_t> : gather<int32_t>;
  return POLLUX_SUCCESS;
}

const Kernel kernels[] = {{{"gather", all_dtypes, 0, nullptr}, prepare<false>},
                          {{"takeAlong", all_dtypes, 0, nullptr}, prepare<true>},
                          {{"embedding", all_dtypes, 0, nullptr}, prepare_embedding}};

}  // namespace

extern const KernelTable gather_kernels = {kernels, 3};

}  // namespace pollux::POLLUX_LEVEL
