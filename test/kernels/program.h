// Writing elementwise programs in tests.
#pragma once
#include "check.h"

namespace check {

inline PolluxInstruction instruction(const char* op, int32_t dtype, std::vector<int32_t> sources,
                                     double immediate = 0) {
  PolluxInstruction made = {op, dtype, int32_t(sources.size()), {-1, -1, -1}, immediate};
  for (size_t i = 0; i < sources.size(); ++i) made.source[i] = sources[i];
  return made;
}

inline void program(std::vector<Array*> inputs, std::vector<Array*> outputs,
                    std::vector<PolluxInstruction> instructions, std::vector<int32_t> stored) {
  run({"elementwise", inputs, outputs, {}, instructions, stored});
}

}  // namespace check
