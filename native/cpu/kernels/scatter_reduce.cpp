// scatterReduce: x with updates set, or taken into a maximum or minimum, at the places that takeAlong would read.
// Updates go in row-major order, so the last of those set at one place stays.
#include "../indexing.h"

namespace pollux::POLLUX_LEVEL {
namespace {

enum class Rule { set, maximum, minimum };

template <typename T, Rule rule>
inline T reduced(T old, T update) {
  if (rule == Rule::set) return update;
  if (old != old || update != update) return old != old ? old : update;  // NaN wins
  if (rule == Rule::maximum) return update > old ? update : old;
  return update < old ? update : old;
}

template <typename T, typename Index, Rule rule>
void run(const Prepared& prepared, const RunContext& context) {
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
      int64_t e = outer * p.count * p.inner;
      for (int64_t i = 0; i < p.count; ++i) {
        for (int64_t k = 0; k < p.inner; ++k, ++e) {
          const int64_t place = indices[e] < 0 ? indices[e] + p.axis : indices[e];
          if (place < 0 || place >= p.axis) {
            report(prepared, context, POLLUX_INDEX_OUT_OF_RANGE, e, indices[e]);
            continue;
          }
          T& target = to[place * p.inner + k];
          target = reduced<T, rule>(target, updates[e]);
        }
      }
    }
  });
}

template <typename T, Rule rule>
PolluxResult choose(bool wide, Prepared* prepared) {
  prepared->run = wide ? run<T, int64_t, rule> : run<T, int32_t, rule>;
  return POLLUX_SUCCESS;
}

template <Rule rule>
PolluxResult choose_number(int32_t dtype, bool wide, Prepared* prepared) {
  switch (dtype) {
    case POLLUX_FLOAT32:
      return choose<float, rule>(wide, prepared);
    case POLLUX_INT32:
      return choose<int32_t, rule>(wide, prepared);
    case POLLUX_INT64:
      return choose<int64_t, rule>(wide, prepared);
    default:
      return POLLUX_UNSUPPORTED;
  }
}

PolluxResult prepare(const PolluxStep& step, Prepared* prepared) {
  Indexing* p = make_parameters<Indexing>(prepared);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  *p = plan_indexing(step, true);
  const bool wide = input(step, 1).dtype == POLLUX_INT64;
  const int32_t dtype = input(step, 0).dtype;
  const char* rule = text(step, "rule");
  if (strcmp(rule, "maximum") == 0) return choose_number<Rule::maximum>(dtype, wide, prepared);
  if (strcmp(rule, "minimum") == 0) return choose_number<Rule::minimum>(dtype, wide, prepared);
  switch (p->bytes) {  // elements that are only moved go by their size
    case 1:
      return choose<uint8_t, Rule::set>(wide, prepared);
    case 2:
      return choose<uint16_t, Rule::set>(wide, prepared);
    case 4:
      return choose<uint32_t, Rule::set>(wide, prepared);
    default:
      return choose<uint64_t, Rule::set>(wide, prepared);
  }
}

const Kernel kernels[] = {{{"scatterReduce", all_dtypes, 0, nullptr}, prepare}};

}  // namespace

extern const KernelTable scatter_reduce_kernels = {kernels, 1};

}  // namespace pollux::POLLUX_LEVEL
