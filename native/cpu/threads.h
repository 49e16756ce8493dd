// How many threads kernels run on, for those that lay out scratch for each of them.
#pragma once
#include <stdint.h>

namespace pollux {

/// Threads that may run chunks of one step at once, for the step that this thread prepares; at least 1. The runtime
/// prepares a plan anew when there are more of them. Never a reason to cut chunks otherwise: bits do not depend on it.
int64_t host_threads();

/// What host_threads() answers on this thread from now on.
void set_host_threads(int64_t threads);

}  // namespace pollux
