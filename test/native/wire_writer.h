// Writes small plans for the tests, through the generated records.
#pragma once
#include <cstring>
#include <string>
#include <vector>

#include "../../native/runtime/plan_wire.h"

class WireWriter {
 public:
  uint32_t text(const std::string& value) {
    const auto offset = static_cast<uint32_t>(strings_.size());
    strings_.insert(strings_.end(), value.begin(), value.end());
    strings_.push_back('\0');
    return offset;
  }

  uint32_t binding(uint64_t elements, bool state) {
    bindings_.push_back({elements * 4, state ? 1u : 0u, 0});
    return tensor(1, static_cast<uint32_t>(bindings_.size() - 1), 0, elements);
  }

  uint32_t result(uint64_t elements) {
    results_.push_back({elements * 4});
    return tensor(2, static_cast<uint32_t>(results_.size() - 1), 0, elements);
  }

  uint32_t temporary(uint64_t elements) {
    const uint64_t offset = arena_bytes;
    arena_bytes += (elements * 4 + 63) / 64 * 64;
    return tensor(0, 0, offset, elements);
  }

  void step(const char* kernel, const std::vector<uint32_t>& inputs, const std::vector<uint32_t>& outputs,
            bool commit = false) {
    pollux::wire::Step record{};
    record.kernel = text(kernel);
    record.label = text("label");
    record.operands = integers_.size();
    record.input_count = static_cast<uint32_t>(inputs.size());
    record.output_count = static_cast<uint32_t>(outputs.size());
    for (const uint32_t id : inputs) integers_.push_back(id);
    for (const uint32_t id : outputs) integers_.push_back(id);
    record.attributes = attributes_.size();
    record.attribute_count = 1;
    attributes_.push_back({text("axes"), pollux::wire::no_text, numbers_.size(), 2});
    numbers_.push_back(1);
    numbers_.push_back(2);
    record.loop = pollux::wire::no_index;
    record.flags = commit ? pollux::wire::commit_flag : 0;
    record.flops = 1e6;
    steps_.push_back(record);
  }

  /// The next `steps` steps run `length` times. Returns the loop's number.
  uint32_t loop(uint64_t length, uint32_t steps) {
    pollux::wire::Step record{};
    record.kernel = text("scan");
    record.label = text("label");
    record.loop = static_cast<uint32_t>(loops.size());
    steps_.push_back(record);
    loops.push_back({length, steps, 0});
    return record.loop;
  }

  /// What lies in `even` or `odd` by turns, after `first` (or no_index) in the first iteration, and `stride` bytes
  /// further on each time.
  uint32_t moving(uint32_t loop, uint32_t first, uint32_t even, uint32_t odd, int64_t stride, uint64_t elements) {
    moves.push_back({loop, first, even, odd, 0, stride});
    return tensor(static_cast<uint32_t>(pollux::wire::LocationKind::moving), static_cast<uint32_t>(moves.size() - 1), 0,
                  elements);
  }

  std::vector<uint8_t> finish() const {
    using namespace pollux::wire;
    Header header{};
    std::vector<uint8_t> wire(sizeof(Header));
    const auto add = [&](const auto& records, uint64_t& offset, uint64_t& count) {
      wire.resize((wire.size() + section_alignment - 1) / section_alignment * section_alignment);
      offset = wire.size();
      count = records.size();
      const auto* bytes = reinterpret_cast<const uint8_t*>(records.data());
      wire.insert(wire.end(), bytes, bytes + records.size() * sizeof(records[0]));
    };
    add(bindings_, header.bindings_offset, header.bindings_count);
    add(results_, header.results_offset, header.results_count);
    add(tensors_, header.tensors_offset, header.tensors_count);
    add(attributes_, header.attributes_offset, header.attributes_count);
    add(std::vector<Instruction>(), header.instructions_offset, header.instructions_count);
    add(steps_, header.steps_offset, header.steps_count);
    add(loops, header.loops_offset, header.loops_count);
    add(moves, header.moves_offset, header.moves_count);
    add(integers_, header.integers_offset, header.integers_count);
    add(numbers_, header.numbers_offset, header.numbers_count);
    add(strings_, header.strings_offset, header.strings_count);
    add(std::vector<uint8_t>(64, 1), header.constants_offset, header.constants_count);
    header.magic = magic;
    header.version = version;
    header.header_bytes = sizeof(Header);
    header.total_bytes = wire.size();
    header.arena_bytes = arena_bytes;
    std::memcpy(wire.data(), &header, sizeof header);
    return wire;
  }

  uint64_t arena_bytes = 0;
  std::vector<pollux::wire::Loop> loops;
  std::vector<pollux::wire::Move> moves;

 private:
  uint32_t tensor(uint32_t kind, uint32_t index, uint64_t offset, uint64_t elements) {
    tensors_.push_back({0, 1, integers_.size(), kind, index, offset});
    integers_.push_back(static_cast<int64_t>(elements));
    integers_.push_back(1);
    return static_cast<uint32_t>(tensors_.size() - 1);
  }

  std::vector<pollux::wire::Binding> bindings_;
  std::vector<pollux::wire::Result> results_;
  std::vector<pollux::wire::Tensor> tensors_;
  std::vector<pollux::wire::Attribute> attributes_;
  std::vector<pollux::wire::Step> steps_;
  std::vector<int64_t> integers_;
  std::vector<double> numbers_;
  std::vector<char> strings_;
};
