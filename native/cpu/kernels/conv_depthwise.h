// Convolutions whose every channel has a kernel of its own: as many groups as channels in and out.
#pragma once
#include "../kernel.h"

namespace pollux {
namespace {

inline bool is_depthwise(const PolluxStep& step, int64_t channels_in, int64_t channels_out) {
  const int64_t groups = integer(step, "groups", 1);
  return groups > 1 && groups == channels_in && groups == channels_out;
}

}  // namespace

namespace POLLUX_LEVEL {
PolluxResult prepare_depthwise(const PolluxStep& step, Prepared* prepared);
PolluxResult prepare_depthwise_grad_input(const PolluxStep& step, Prepared* prepared);
PolluxResult prepare_depthwise_grad_weight(const PolluxStep& step, Prepared* prepared);
}  // namespace POLLUX_LEVEL
}  // namespace pollux
