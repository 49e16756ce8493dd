// cacheUpdate: rows [batch, count, ...] into a cache [batch, capacity, ...] from each sample's position on. In place it
// costs the rows alone.
#include "../kernel.h"

namespace pollux::POLLUX_LEVEL {
namespace {

struct CacheUpdate {
  int64_t batch, capacity, count;
  int64_t width;  // floats of a row
  bool wide;      // positions are int64
  Chunks copies;  // of the cache, where it is not in place
};

void run(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<CacheUpdate>(prepared);
  const float* cache = input_data<float>(prepared, context, 0);
  const float* rows = input_data<float>(prepared, context, 1);
  float* y = output_data<float>(prepared, context, 0);
  if (cache != y) {
    parallel(context, p.copies.count, [&](int64_t chunk) {
      const int64_t begin = p.copies.begin(chunk), end = p.copies.end(chunk);
      memcpy(y + begin, cache + begin, static_cast<size_t>(end - begin) * sizeof(float));
    });
  }
  for (int64_t b = 0; b < p.batch; ++b) {
    const int64_t position =
        p.wide ? input_data<int64_t>(prepared, context, 2)[b] : input_data<int32_t>(prepared, context, 2)[b];
    if (position < 0 || position > p.capacity - p.count) {
      report(prepared, context, POLLUX_CAPACITY_EXCEEDED, b, position);
      continue;
    }
    if (p.count * p.width > 0)
      memcpy(y + (b * p.capacity + position) * p.width, rows + b * p.count * p.width,
             static_cast<size_t>(p.count * p.width) * sizeof(float));
  }
}

PolluxResult prepare(const PolluxStep& step, Prepared* prepared) {
  auto* p = make_parameters<CacheUpdate>(prepared);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  const PolluxOperand& cache = input(step, 0);
  p->batch = cache.shape[0], p->capacity = cache.shape[1], p->count = input(step, 1).shape[1];
  p->width = extent(cache, 2, cache.rank);
  p->wide = input(step, 2).dtype == POLLUX_INT64;
  p->copies = plan_chunks(element_count(cache), 65536);
  prepared->run = run;
  return POLLUX_SUCCESS;
}

const Kernel kernels[] = {
    {{"cacheUpdate", dtype_bit(POLLUX_FLOAT32), 0, nullptr}, prepare},
};

}  // namespace

extern const KernelTable attention_cache_kernels = {kernels, 1};

}  // namespace pollux::POLLUX_LEVEL
