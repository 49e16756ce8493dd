// What the files of the elementwise family share: the functions that run one instruction over a tile.
#pragma once
#include "kernel.h"

namespace pollux::POLLUX_LEVEL {

/// to[i] = op(sources[0][i], ...) for i < n. `to` may be one of the sources, not overlap them otherwise.
using Apply = void (*)(void* to, const void* const* sources, int64_t n);

/// The function of an instruction, by name, dtype of its (last) source and dtype of its value; null if there is none.
Apply find_float_instruction(const char* op, int32_t source_dtype);
Apply find_integer_instruction(const char* op, int32_t source_dtype);
Apply find_move_instruction(const char* op, int32_t source_dtype, int32_t dtype);

/// The form of a float32 instruction of two sources whose source number `shared` is one number for all elements; null
/// if there is none.
Apply find_shared_instruction(const char* op, int32_t source_dtype, int shared);

/// Prepares a step of one input and one output as a copy.
PolluxResult prepare_copy(const PolluxStep& step, Prepared* prepared);

}  // namespace pollux::POLLUX_LEVEL
