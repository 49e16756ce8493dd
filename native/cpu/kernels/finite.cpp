// checkFinite: one read of x that tells the status word where the first NaN or infinity lies.
#include "../kernel.h"
#include "../simd.h"

namespace pollux {
namespace {

constexpr int64_t check_grain = 1 << 16;  // elements
constexpr int64_t block_size = 4096;      // elements between two looks at what was found

struct FiniteParameters {
  Chunks chunks;
};

/// True if all of [begin, end) is finite: x - x is 0 for finite numbers and NaN for all others.
bool all_finite(const float* x, int64_t begin, int64_t end) {
  Floats a = zero(), b = a, c = a, d = a;
  int64_t i = begin;
  for (; i + 4 * lanes <= end; i += 4 * lanes) {
    const Floats x0 = load(x + i), x1 = load(x + i + lanes), x2 = load(x + i + 2 * lanes), x3 = load(x + i + 3 * lanes);
    a = a + (x0 - x0);
    b = b + (x1 - x1);
    c = c + (x2 - x2);
    d = d + (x3 - x3);
  }
  float rest = 0;
  for (; i < end; ++i) rest += x[i] - x[i];
  return reduce_add((a + b) + (c + d)) + rest == 0;
}

/// Index of the first element of [begin, end) that is not finite, or -1.
int64_t first_not_finite(const float* x, int64_t begin, int64_t end) {
  for (int64_t block = begin; block < end; block += block_size) {
    const int64_t block_end = min64(end, block + block_size);
    if (all_finite(x, block, block_end)) continue;
    for (int64_t i = block; i < block_end; ++i)
      if (x[i] - x[i] != 0) return i;
  }
  return -1;
}

void run_check(const Prepared& prepared, const RunContext& context) {
  const auto& chunks = parameters<FiniteParameters>(prepared).chunks;
  const float* x = input_data<float>(prepared, context, 0);
  float* y = output_data<float>(prepared, context, 0);
  parallel(context, chunks.count, [&](int64_t chunk) {
    const int64_t begin = chunks.begin(chunk), end = chunks.end(chunk);
    const int64_t found = first_not_finite(x, begin, end);
    if (found >= 0) report(prepared, context, POLLUX_NOT_FINITE, found, 0);
    if (x != y) memcpy(y + begin, x + begin, static_cast<size_t>(end - begin) * sizeof(float));
  });
}

PolluxResult prepare_check(const PolluxStep& step, Prepared* prepared) {
  auto* parameter = make_parameters<FiniteParameters>(prepared);
  if (!parameter) return POLLUX_OUT_OF_MEMORY;
  parameter->chunks = plan_chunks(element_count(input(step, 0)), check_grain, 256);
  prepared->run = run_check;
  return POLLUX_SUCCESS;
}

const Kernel kernels[] = {{{"checkFinite", dtype_bit(POLLUX_FLOAT32), 0, nullptr}, prepare_check}};

}  // namespace

namespace POLLUX_LEVEL {
extern const KernelTable finite_kernels;
const KernelTable finite_kernels = {kernels, 1};
}  // namespace POLLUX_LEVEL
}  // namespace pollux
