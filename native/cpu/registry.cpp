#include "registry.h"

#include <stdio.h>

#include "families.h"

#ifndef POLLUX_FAMILY_LINKAGE
#define POLLUX_FAMILY_LINKAGE  // test/kernels declares families weak, to link some of them alone
#endif

// X(level, condition): a new level (AMX, bf16) is a line here and a target in binding.gyp.
#if defined(__x86_64__)
#include <cpuid.h>
#define POLLUX_LEVELS(X)                                                                             \
  X(scalar, true)                                                                                    \
  X(avx2, has_avx2())                                                                                \
  X(avx512, has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && \
                __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
#else
#define POLLUX_LEVELS(X) X(scalar, true)
#endif

#define POLLUX_DECLARE_FAMILY(family) POLLUX_FAMILY_LINKAGE extern const KernelTable family##_kernels;
#define POLLUX_DECLARE_LEVEL(level, condition) \
  namespace pollux::level {                    \
  POLLUX_FAMILIES(POLLUX_DECLARE_FAMILY)       \
  }
POLLUX_LEVELS(POLLUX_DECLARE_LEVEL)

namespace pollux {
namespace {

#if defined(__x86_64__)
// __builtin_cpu_supports asks the operating system too: it reads XCR0, so a kernel without AVX state answers no.
// It has no name for F16C in g++ 10 and clang 14, so that bit is read here.
bool has_avx2() {
  unsigned eax, ebx, ecx, edx;
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") &&
         __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}
#endif

#define POLLUX_LIST_FAMILY(family) &family##_kernels,
#define POLLUX_DEFINE_LEVEL(level, condition)                                    \
  namespace level##_level {                                                      \
    using namespace pollux::level;                                               \
    const KernelTable* const families[] = {POLLUX_FAMILIES(POLLUX_LIST_FAMILY)}; \
    bool supported() {                                                           \
      return condition;                                                          \
    }                                                                            \
  }
POLLUX_LEVELS(POLLUX_DEFINE_LEVEL)

#define POLLUX_LIST_LEVEL(level, condition)                    \
  {#level, &level##_level::supported, level##_level::families, \
   static_cast<int32_t>(sizeof level##_level::families / sizeof(void*))},
const Level all_levels[] = {POLLUX_LEVELS(POLLUX_LIST_LEVEL)};
constexpr int32_t all_level_count = sizeof all_levels / sizeof all_levels[0];

}  // namespace

const Level* levels() {
  return all_levels;
}
int32_t level_count() {
  return all_level_count;
}

int32_t choose_level(const char* wanted, char* error, size_t error_size) {
  int32_t highest = all_level_count - 1;
  if (wanted && *wanted) {
    for (highest = 0; highest < all_level_count && strcmp(all_levels[highest].name, wanted) != 0; ++highest) {
    }
    if (highest == all_level_count) {
      int written = snprintf(error, error_size, "POLLUX_ISA is '%s'; it must be one of:", wanted);
      for (int32_t i = 0; i < all_level_count && written >= 0 && static_cast<size_t>(written) < error_size; ++i)
        written += snprintf(error + written, error_size - static_cast<size_t>(written), " %s", all_levels[i].name);
      return -1;
    }
  }
  while (highest > 0 && !all_levels[highest].supported()) --highest;
  return highest;
}

const Kernel* find_kernel(int32_t level, const char* name) {
  for (; level >= 0; --level) {
    const Level& candidate = all_levels[level];
    for (int32_t f = 0; f < candidate.family_count; ++f) {
      const KernelTable* table = candidate.families[f];
      for (int32_t k = 0; table && k < table->count; ++k)
        if (strcmp(table->kernels[k].info.name, name) == 0) return &table->kernels[k];
    }
  }
  return nullptr;
}

int32_t list_kernels(int32_t level, PolluxKernelInfo* kernels) {
  int32_t count = 0;
  for (int32_t l = level; l >= 0; --l) {
    for (int32_t f = 0; f < all_levels[l].family_count; ++f) {
      const KernelTable* table = all_levels[l].families[f];
      for (int32_t k = 0; table && k < table->count; ++k) {
        const Kernel* kernel = &table->kernels[k];
        if (find_kernel(level, kernel->info.name) != kernel) continue;  // a higher level has its own
        if (kernels) kernels[count] = kernel->info;
        ++count;
      }
    }
  }
  return count;
}

}  // namespace pollux
