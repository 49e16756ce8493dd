// clang-format off
// Generated from src/compiler/wire/schema.ts by `POLLUX_GENERATE=1 npx vitest run test/runtime/wire.test.ts`. Do not edit.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

namespace pollux::wire {

constexpr uint64_t magic = 0x4c5058554c4c4f50ull;
constexpr uint32_t version = 3;
constexpr uint32_t no_text = 0xffffffffu;
constexpr uint32_t no_index = 0xffffffffu;
constexpr uint64_t section_alignment = 64;
constexpr uint32_t commit_flag = 1;
constexpr uint32_t program_flag = 2;
constexpr uint32_t append_flag = 4;

enum class LocationKind : uint32_t { arena = 0, binding = 1, result = 2, constant = 3, moving = 4 };
constexpr uint32_t location_kind_count = 5;
enum class BindingKind : uint32_t { input = 0, state = 1 };
constexpr uint32_t binding_kind_count = 2;
enum class Queue : uint32_t { compute = 0, copy = 1, communicate = 2 };
constexpr uint32_t queue_count = 3;

struct Binding {
  uint64_t bytes;
  uint32_t kind;
  uint32_t padding;
};
static_assert(sizeof(Binding) == 16);
static_assert(offsetof(Binding, bytes) == 0);
static_assert(offsetof(Binding, kind) == 8);
static_assert(offsetof(Binding, padding) == 12);

struct Result {
  uint64_t bytes;
};
static_assert(sizeof(Result) == 8);
static_assert(offsetof(Result, bytes) == 0);

struct Tensor {
  uint32_t dtype;
  uint32_t rank;
  uint64_t shape;
  uint32_t location_kind;
  uint32_t location_index;
  uint64_t offset;
};
static_assert(sizeof(Tensor) == 32);
static_assert(offsetof(Tensor, dtype) == 0);
static_assert(offsetof(Tensor, rank) == 4);
static_assert(offsetof(Tensor, shape) == 8);
static_assert(offsetof(Tensor, location_kind) == 16);
static_assert(offsetof(Tensor, location_index) == 20);
static_assert(offsetof(Tensor, offset) == 24);

struct Attribute {
  uint32_t name;
  uint32_t text;
  uint64_t numbers;
  uint64_t count;
};
static_assert(sizeof(Attribute) == 24);
static_assert(offsetof(Attribute, name) == 0);
static_assert(offsetof(Attribute, text) == 4);
static_assert(offsetof(Attribute, numbers) == 8);
static_assert(offsetof(Attribute, count) == 16);

struct Instruction {
  uint32_t op;
  uint32_t dtype;
  uint32_t source_count;
  int32_t source0;
  int32_t source1;
  int32_t source2;
  double immediate;
};
static_assert(sizeof(Instruction) == 32);
static_assert(offsetof(Instruction, op) == 0);
static_assert(offsetof(Instruction, dtype) == 4);
static_assert(offsetof(Instruction, source_count) == 8);
static_assert(offsetof(Instruction, source0) == 12);
static_assert(offsetof(Instruction, source1) == 16);
static_assert(offsetof(Instruction, source2) == 20);
static_assert(offsetof(Instruction, immediate) == 24);

struct Step {
  uint32_t kernel;
  uint32_t label;
  uint64_t operands;
  uint32_t input_count;
  uint32_t output_count;
  uint64_t attributes;
  uint64_t instructions;
  uint32_t attribute_count;
  uint32_t instruction_count;
  uint64_t stored;
  uint64_t waits;
  uint32_t wait_count;
  uint32_t flags;
  uint32_t queue;
  uint32_t loop;
  double flops;
  double bytes;
};
static_assert(sizeof(Step) == 96);
static_assert(offsetof(Step, kernel) == 0);
static_assert(offsetof(Step, label) == 4);
static_assert(offsetof(Step, operands) == 8);
static_assert(offsetof(Step, input_count) == 16);
static_assert(offsetof(Step, output_count) == 20);
static_assert(offsetof(Step, attributes) == 24);
static_assert(offsetof(Step, instructions) == 32);
static_assert(offsetof(Step, attribute_count) == 40);
static_assert(offsetof(Step, instruction_count) == 44);
static_assert(offsetof(Step, stored) == 48);
static_assert(offsetof(Step, waits) == 56);
static_assert(offsetof(Step, wait_count) == 64);
static_assert(offsetof(Step, flags) == 68);
static_assert(offsetof(Step, queue) == 72);
static_assert(offsetof(Step, loop) == 76);
static_assert(offsetof(Step, flops) == 80);
static_assert(offsetof(Step, bytes) == 88);

struct Loop {
  uint64_t length;
  uint32_t steps;
  uint32_t padding;
};
static_assert(sizeof(Loop) == 16);
static_assert(offsetof(Loop, length) == 0);
static_assert(offsetof(Loop, steps) == 8);
static_assert(offsetof(Loop, padding) == 12);

struct Move {
  uint32_t loop;
  uint32_t first;
  uint32_t even;
  uint32_t odd;
  int64_t start;
  int64_t stride;
};
static_assert(sizeof(Move) == 32);
static_assert(offsetof(Move, loop) == 0);
static_assert(offsetof(Move, first) == 4);
static_assert(offsetof(Move, even) == 8);
static_assert(offsetof(Move, odd) == 12);
static_assert(offsetof(Move, start) == 16);
static_assert(offsetof(Move, stride) == 24);

struct Header {
  uint64_t magic;
  uint32_t version;
  uint32_t header_bytes;
  uint64_t total_bytes;
  uint64_t arena_bytes;
  uint64_t bindings_offset;
  uint64_t bindings_count;
  uint64_t results_offset;
  uint64_t results_count;
  uint64_t tensors_offset;
  uint64_t tensors_count;
  uint64_t attributes_offset;
  uint64_t attributes_count;
  uint64_t instructions_offset;
  uint64_t instructions_count;
  uint64_t steps_offset;
  uint64_t steps_count;
  uint64_t loops_offset;
  uint64_t loops_count;
  uint64_t moves_offset;
  uint64_t moves_count;
  uint64_t integers_offset;
  uint64_t integers_count;
  uint64_t numbers_offset;
  uint64_t numbers_count;
  uint64_t strings_offset;
  uint64_t strings_count;
  uint64_t constants_offset;
  uint64_t constants_count;
};
static_assert(sizeof(Header) == 224);
static_assert(offsetof(Header, magic) == 0);
static_assert(offsetof(Header, version) == 8);
static_assert(offsetof(Header, header_bytes) == 12);
static_assert(offsetof(Header, total_bytes) == 16);
static_assert(offsetof(Header, arena_bytes) == 24);
static_assert(offsetof(Header, bindings_offset) == 32);
static_assert(offsetof(Header, bindings_count) == 40);
static_assert(offsetof(Header, results_offset) == 48);
static_assert(offsetof(Header, results_count) == 56);
static_assert(offsetof(Header, tensors_offset) == 64);
static_assert(offsetof(Header, tensors_count) == 72);
static_assert(offsetof(Header, attributes_offset) == 80);
static_assert(offsetof(Header, attributes_count) == 88);
static_assert(offsetof(Header, instructions_offset) == 96);
static_assert(offsetof(Header, instructions_count) == 104);
static_assert(offsetof(Header, steps_offset) == 112);
static_assert(offsetof(Header, steps_count) == 120);
static_assert(offsetof(Header, loops_offset) == 128);
static_assert(offsetof(Header, loops_count) == 136);
static_assert(offsetof(Header, moves_offset) == 144);
static_assert(offsetof(Header, moves_count) == 152);
static_assert(offsetof(Header, integers_offset) == 160);
static_assert(offsetof(Header, integers_count) == 168);
static_assert(offsetof(Header, numbers_offset) == 176);
static_assert(offsetof(Header, numbers_count) == 184);
static_assert(offsetof(Header, strings_offset) == 192);
static_assert(offsetof(Header, strings_count) == 200);
static_assert(offsetof(Header, constants_offset) == 208);
static_assert(offsetof(Header, constants_count) == 216);

/// The sections of an encoded plan. They point into the buffer, which must outlive the view and be aligned to 8 bytes.
struct View {
  uint64_t arena_bytes;
  std::span<const Binding> bindings;
  std::span<const Result> results;
  std::span<const Tensor> tensors;
  std::span<const Attribute> attributes;
  std::span<const Instruction> instructions;
  std::span<const Step> steps;
  std::span<const Loop> loops;
  std::span<const Move> moves;
  std::span<const int64_t> integers;
  std::span<const double> numbers;
  std::span<const uint8_t> strings;
  std::span<const uint8_t> constants;
};

/// Checks magic, version and the bounds of every section. What the records say is for the caller to check.
inline bool open(const void* data, uint64_t bytes, View* view, std::string* error) {
  Header header;
  if (bytes < sizeof(Header)) {
    *error = "the plan is cut short: " + std::to_string(bytes) + " bytes do not hold its header";
    return false;
  }
  std::memcpy(&header, data, sizeof(Header));
  if (header.magic != magic) {
    *error = "this is no plan: it does not begin with the plan's mark";
    return false;
  }
  if (header.version != version || header.header_bytes != sizeof(Header)) {
    *error = "the plan has version " + std::to_string(header.version) + ", this build reads version " + std::to_string(version);
    return false;
  }
  if (header.total_bytes != bytes) {
    *error = "the plan says " + std::to_string(header.total_bytes) + " bytes, the buffer has " + std::to_string(bytes);
    return false;
  }
  const auto section = [&]<typename T>(const char* name, uint64_t offset, uint64_t count, std::span<const T>& span) {
    if (offset % section_alignment || offset > bytes || count > (bytes - offset) / sizeof(T)) {
      *error = std::string("section ") + name + " of the plan lies outside the buffer";
      return false;
    }
    span = {reinterpret_cast<const T*>(static_cast<const char*>(data) + offset), static_cast<size_t>(count)};
    return true;
  };
  view->arena_bytes = header.arena_bytes;
  if (!section("bindings", header.bindings_offset, header.bindings_count, view->bindings)) return false;
  if (!section("results", header.results_offset, header.results_count, view->results)) return false;
  if (!section("tensors", header.tensors_offset, header.tensors_count, view->tensors)) return false;
  if (!section("attributes", header.attributes_offset, header.attributes_count, view->attributes)) return false;
  if (!section("instructions", header.instructions_offset, header.instructions_count, view->instructions)) return false;
  if (!section("steps", header.steps_offset, header.steps_count, view->steps)) return false;
  if (!section("loops", header.loops_offset, header.loops_count, view->loops)) return false;
  if (!section("moves", header.moves_offset, header.moves_count, view->moves)) return false;
  if (!section("integers", header.integers_offset, header.integers_count, view->integers)) return false;
  if (!section("numbers", header.numbers_offset, header.numbers_count, view->numbers)) return false;
  if (!section("strings", header.strings_offset, header.strings_count, view->strings)) return false;
  if (!section("constants", header.constants_offset, header.constants_count, view->constants)) return false;
  return true;
}

}  // namespace pollux::wire
