// The description of the instruction set of elementwise programs.
#include "instructions.h"

namespace pollux {
namespace {
constexpr uint32_t F = 1u << POLLUX_FLOAT32;
constexpr uint32_t N = F | 1u << POLLUX_INT32 | 1u << POLLUX_INT64;
constexpr uint32_t B = 1u << POLLUX_BOOL;
constexpr uint32_t A = (1u << POLLUX_DTYPE_COUNT) - 1;
}  // namespace

#define POLLUX_DESCRIBE(name, sources, dtypes) {#name, dtypes, POLLUX_STRIDED_INPUTS | POLLUX_STRIDED_OUTPUTS, nullptr},
const PolluxKernelInfo instructions[] = {POLLUX_INSTRUCTIONS(POLLUX_DESCRIBE)};
const int32_t instruction_count = sizeof instructions / sizeof instructions[0];
}  // namespace pollux
