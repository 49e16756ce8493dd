// polygamma: its order is an attribute, so it is a kernel of its own and no instruction of elementwise programs.
#include "../kernel.h"
#include "../special_math.h"

namespace pollux::POLLUX_LEVEL {
namespace {

struct PolygammaParameters {
  int64_t order;
  Chunks chunks;
};

void run(const Prepared& prepared, const RunContext& context) {
  const auto& [order, chunks] = parameters<PolygammaParameters>(prepared);
  const float* x = input_data<float>(prepared, context, 0);
  float* y = output_data<float>(prepared, context, 0);
  parallel(context, chunks.count, [&, order = order, chunks = chunks](int64_t chunk) {
    for (int64_t i = chunks.begin(chunk); i < chunks.end(chunk); ++i)
      y[i] = static_cast<float>(order ? polygamma(order, x[i]) : digamma(x[i]));
  });
}

PolluxResult prepare(const PolluxStep& step, Prepared* prepared) {
  auto* parameter = make_parameters<PolygammaParameters>(prepared);
  if (!parameter) return POLLUX_OUT_OF_MEMORY;
  parameter->order = integer(step, "order");
  parameter->chunks = plan_chunks(element_count(input(step, 0)), 512);
  prepared->run = run;
  return POLLUX_SUCCESS;
}

const Kernel kernels[] = {{{"polygamma", dtype_bit(POLLUX_FLOAT32), 0, nullptr}, prepare}};

}  // namespace

extern const KernelTable special_kernels = {kernels, 1};

}  // namespace pollux::POLLUX_LEVEL
