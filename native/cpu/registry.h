// The instruction-set levels of this build and the kernels of each.
#pragma once
#include "kernel.h"

namespace pollux {

/// One instruction-set level, from the lowest up. A level may lack a family: the next lower one that has it serves.
struct Level {
  const char* name;
  bool (*supported)();  ///< by this machine and its operating system
  const KernelTable* const* families;
  int32_t family_count;
};

/// All levels of this build, lowest first.
const Level* levels();
int32_t level_count();

/// The level to run at: the best one that the machine supports, forced lower by `wanted` (the value of POLLUX_ISA; null
/// or empty for the best). A level that the machine lacks falls to the best lower one. Returns -1 for an unknown name,
/// with a message that lists the choices in `error`.
int32_t choose_level(const char* wanted, char* error, size_t error_size);

/// The kernel of this name at this level or the nearest below it; null if no level has it.
const Kernel* find_kernel(int32_t level, const char* name);

/// Copies the kernels available at a level to `kernels` (if not null) and returns how many there are.
int32_t list_kernels(int32_t level, PolluxKernelInfo* kernels);

}  // namespace pollux
