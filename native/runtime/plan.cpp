#include "plan.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pollux {

uint64_t byte_size(int32_t dtype) {
  constexpr uint8_t sizes[POLLUX_DTYPE_COUNT] = {4, 2, 2, 1, 1, 4, 8, 1};
  return sizes[dtype];
}

namespace {

/// Larger sizes are refused, so that sums of a few of them cannot overflow.
constexpr uint64_t largest = uint64_t{1} << 48;
/// Loops in loops.
constexpr size_t deepest = 16;

/// Thrown inside this file only; Plan::read turns it into a message.
struct Refused {
  std::string reason;
};

template <typename... Parts>
void require(bool condition, const Parts&... parts) {
  if (condition) return;
  std::string reason;
  const auto add = [&](const auto& part) {
    if constexpr (std::is_arithmetic_v<std::decay_t<decltype(part)>>)
      reason += std::to_string(part);
    else
      reason += part;
  };
  (add(parts), ...);
  throw Refused{std::move(reason)};
}

/// The part of a section that a record refers to.
template <typename T>
std::span<const T> part(std::span<const T> section, uint64_t first, uint64_t count, const char* what) {
  require(first <= section.size() && count <= section.size() - first, what, " lie outside their section");
  return section.subspan(first, count);
}

}  // namespace

/// Turns the records into the plan, checking as it goes. Vectors that steps point into get their final size first.
class PlanReader {
 public:
  PlanReader(const wire::View& view, Plan* plan) : view_(view), plan_(*plan) {}

  void read() {
    require(view_.arena_bytes <= largest, "the arena of ", view_.arena_bytes, " bytes is too large");
    plan_.arena_bytes_ = view_.arena_bytes;
    plan_.strings_.assign(view_.strings.begin(), view_.strings.end());
    require(plan_.strings_.empty() || plan_.strings_.back() == '\0', "the last text has no end");
    plan_.numbers_.assign(view_.numbers.begin(), view_.numbers.end());
    plan_.constants_.assign(view_.constants.begin(), view_.constants.end());
    plan_.constant_bytes_ = view_.constants.size();
    read_memories();
    read_loops();
    for (size_t i = 0; i < view_.tensors.size(); ++i) plan_.tensors_.push_back(read_tensor(view_.tensors[i], i));
    read_moves();
    read_steps();
  }

 private:
  const char* text(uint32_t offset) const {
    require(offset < plan_.strings_.size(), "a text lies outside its section");
    return plan_.strings_.data() + offset;
  }

  void read_memories() {
    for (const wire::Binding& binding : view_.bindings) {
      require(binding.bytes <= largest, "a binding of ", binding.bytes, " bytes is too large");
      require(binding.kind < wire::binding_kind_count, "binding kind ", binding.kind, " is unknown");
      plan_.bindings_.push_back({binding.bytes, static_cast<wire::BindingKind>(binding.kind)});
    }
    for (const wire::Result& result : view_.results) {
      require(result.bytes <= largest, "a result of ", result.bytes, " bytes is too large");
      plan_.results_.push_back(result.bytes);
    }
  }

  uint64_t memory_bytes(wire::LocationKind kind, uint32_t index, size_t tensor) const {
    switch (kind) {
      case wire::LocationKind::arena:
        return plan_.arena_bytes_;
      case wire::LocationKind::constant:
        return plan_.constant_bytes_;
      case wire::LocationKind::binding:
        require(index < plan_.bindings_.size(), "tensor ", tensor, " lies in binding ", index,
                ", which does not exist");
        return plan_.bindings_[index].bytes;
      case wire::LocationKind::result:
        require(index < plan_.results_.size(), "tensor ", tensor, " lies in result ", index, ", which does not exist");
        return plan_.results_[index];
      case wire::LocationKind::moving:
        break;
    }
    return 0;
  }

  /// Finds the steps of each loop, and which loop lies in which.
  void read_loops() {
    for (const wire::Loop& loop : view_.loops) {
      require(loop.length >= 1 && loop.length <= largest, "a loop of ", loop.length, " iterations");
      plan_.loops_.push_back({loop.length, 0, 0, wire::no_index, {}});
    }
    std::vector<uint32_t> around;
    loop_of_.resize(view_.steps.size());
    for (size_t i = 0; i < view_.steps.size(); ++i) {
      while (!around.empty() && plan_.loops_[around.back()].end == i) around.pop_back();
      loop_of_[i] = around.empty() ? wire::no_index : around.back();
      const uint32_t number = view_.steps[i].loop;
      if (number == wire::no_index) continue;
      require(number < plan_.loops_.size(), "step ", i, " names loop ", number, ", which does not exist");
      PlanLoop& loop = plan_.loops_[number];
      require(around.size() < deepest, "loops lie in one another more than ", deepest, " deep");
      require(loop.end == 0, "step ", i, " names loop ", number, ", as another does");
      const size_t end = around.empty() ? view_.steps.size() : plan_.loops_[around.back()].end;
      const uint32_t steps = view_.loops[number].steps;
      require(steps >= 1 && steps < end - i, "the steps of loop ", number, " end outside of what surrounds it");
      loop.begin = i + 1;
      loop.end = i + 1 + steps;
      loop.outer = loop_of_[i];
      around.push_back(number);
    }
    for (const PlanLoop& loop : plan_.loops_) require(loop.end > 0, "no step stands for a loop");
  }

  /// True if `loop` is `outer`, or lies in it. Nothing but the plan itself is outside of all loops.
  bool lies_in(uint32_t loop, uint32_t outer) const {
    while (loop != outer && loop != wire::no_index) loop = plan_.loops_[loop].outer;
    return loop == outer;
  }

  /// The loop that a tensor moves with.
  uint32_t loop_of(uint32_t tensor) const {
    const PlanTensor& found = plan_.tensors_[tensor];
    return found.kind == wire::LocationKind::moving ? view_.moves[found.index].loop : wire::no_index;
  }

  /// What a move begins at lies still, or moves with a loop further out.
  void check_base(const wire::Move& move, uint32_t base) const {
    require(base < plan_.tensors_.size(), "a move begins at tensor ", base, ", which does not exist");
    const uint32_t other = loop_of(base);
    require(other != move.loop && lies_in(move.loop, other), "a move of loop ", move.loop, " begins at tensor ", base,
            ", which moves with another");
  }

  /// Checks the moves, and that what moves stays within its memory in every iteration.
  void read_moves() {
    std::vector<size_t> places_in_loop;
    for (const wire::Move& move : view_.moves) {
      require(move.loop < plan_.loops_.size(), "a move belongs to loop ", move.loop, ", which does not exist");
      constexpr auto farthest = static_cast<int64_t>(largest);
      require(-farthest <= move.start && move.start <= farthest && -farthest <= move.stride && move.stride <= farthest,
              "a move goes too far");
      if (move.first != wire::no_index) check_base(move, move.first);
      check_base(move, move.even);
      check_base(move, move.odd);
      PlanLoop& loop = plan_.loops_[move.loop];
      places_in_loop.push_back(loop.moves.size());
      loop.moves.push_back({move.first, move.even, move.odd, move.start, move.stride, {}});
    }
    for (uint32_t i = 0; i < plan_.tensors_.size(); ++i) {
      const PlanTensor& tensor = plan_.tensors_[i];
      if (tensor.kind != wire::LocationKind::moving) continue;
      plan_.loops_[loop_of(i)].moves[places_in_loop[tensor.index]].tensors.push_back(i);
      for (const Place& place : places_of(i)) {
        const __int128 bytes = memory_bytes(place.kind, place.index, i);
        require(place.low >= 0 && place.high <= bytes, "tensor ", i, " moves out of its memory");
        require(tensor.extent == 0 || (place.low + tensor.lowest >= 0 &&
                                       place.high + tensor.lowest + static_cast<__int128>(tensor.extent) <= bytes),
                "tensor ", i, " reaches outside its memory in some iteration");
      }
    }
  }

  /// A memory, and the bytes in it between which an element [0, 0, ...] lies, over all iterations.
  struct Place {
    wire::LocationKind kind;
    uint32_t index;
    __int128 low, high;
    bool operator==(const Place&) const = default;
  };

  const std::vector<Place>& places_of(uint32_t number) {
    places_.resize(plan_.tensors_.size());
    if (places_[number].empty()) places_[number] = find_places(number);
    return places_[number];
  }

  std::vector<Place> find_places(uint32_t number) {
    const PlanTensor& tensor = plan_.tensors_[number];
    if (tensor.kind != wire::LocationKind::moving)
      return {{tensor.kind, tensor.index, static_cast<__int128>(tensor.offset), static_cast<__int128>(tensor.offset)}};
    const wire::Move& move = view_.moves[tensor.index];
    const auto size = static_cast<int64_t>(byte_size(tensor.operand.dtype));
    require(move.start % size == 0 && move.stride % size == 0, "a move breaks the alignment of tensor ", number);
    std::vector<Place> found;
    const auto add = [&](uint32_t base, __int128 low, __int128 high) {
      require(byte_size(plan_.tensors_[base].operand.dtype) == static_cast<uint64_t>(size), "tensor ", number,
              " moves over elements of another size");
      for (const Place place : places_of(base)) {
        const __int128 offset = static_cast<__int128>(tensor.offset);
        const Place moved{place.kind, place.index, place.low + offset + low, place.high + offset + high};
        if (std::find(found.begin(), found.end(), moved) == found.end()) found.push_back(moved);
      }
      require(found.size() <= 64, "tensor ", number, " moves in too many ways");
    };
    const bool begins_elsewhere = move.first != wire::no_index;
    if (begins_elsewhere) add(move.first, 0, 0);
    const auto last = static_cast<__int128>(plan_.loops_[move.loop].length - 1);
    if (begins_elsewhere && last == 0) return found;
    const __int128 from = move.start + (begins_elsewhere ? move.stride : 0), to = move.start + last * move.stride;
    for (const uint32_t base : {move.even, move.odd}) add(base, std::min(from, to), std::max(from, to));
    return found;
  }

  PlanTensor read_tensor(const wire::Tensor& record, size_t i) const {
    require(record.dtype < POLLUX_DTYPE_COUNT, "tensor ", i, " has the unknown dtype ", record.dtype);
    require(record.rank <= POLLUX_MAX_RANK, "tensor ", i, " has rank ", record.rank, ", more than ", POLLUX_MAX_RANK);
    require(record.location_kind < wire::location_kind_count, "tensor ", i, " has an unknown location");
    const auto numbers =
        part(view_.integers, record.shape, uint64_t{2} * record.rank, "the shape and strides of a tensor");
    PlanTensor tensor{};
    tensor.kind = static_cast<wire::LocationKind>(record.location_kind);
    tensor.index = record.location_index;
    tensor.offset = record.offset;
    PolluxOperand& operand = tensor.operand;
    operand.dtype = static_cast<int32_t>(record.dtype);
    operand.rank = static_cast<int32_t>(record.rank);
    const auto size = static_cast<__int128>(byte_size(operand.dtype));
    __int128 lowest = 0, highest = 0, count = 1;  // elements, relative to [0, 0, ...]
    for (uint32_t axis = 0; axis < record.rank; ++axis) {
      const int64_t length = numbers[axis], stride = numbers[record.rank + axis];
      require(length >= 0 && static_cast<uint64_t>(length) <= largest, "tensor ", i, " has the length ", length,
              " on axis ", axis);
      operand.shape[axis] = length;
      operand.stride[axis] = stride;
      count *= length;
      require(count <= static_cast<__int128>(largest), "tensor ", i, " has too many elements");
      const __int128 reach = static_cast<__int128>(length > 0 ? length - 1 : 0) * stride;
      (reach < 0 ? lowest : highest) += reach;
      require(-lowest <= static_cast<__int128>(largest) && highest <= static_cast<__int128>(largest), "tensor ", i,
              " reaches too far");
    }
    tensor.lowest = count == 0 ? 0 : static_cast<int64_t>(lowest * size);
    tensor.extent = count == 0 ? 0 : static_cast<uint64_t>((highest - lowest + 1) * size);
    require(tensor.offset % byte_size(operand.dtype) == 0, "tensor ", i, " is not aligned to its elements");
    if (tensor.kind == wire::LocationKind::moving) {
      require(tensor.index < view_.moves.size(), "tensor ", i, " moves as move ", tensor.index,
              ", which does not exist");
      require(tensor.offset <= largest, "tensor ", i, " begins too far from its move");
      return tensor;
    }
    const uint64_t bytes = memory_bytes(tensor.kind, tensor.index, i);
    require(tensor.offset <= bytes, "tensor ", i, " begins beyond its memory of ", bytes, " bytes");
    if (count == 0) return tensor;
    const __int128 first = static_cast<__int128>(tensor.offset) + lowest * size;
    const __int128 end = static_cast<__int128>(tensor.offset) + (highest + 1) * size;
    require(first >= 0 && end <= static_cast<__int128>(bytes), "tensor ", i, " reaches outside its memory of ", bytes,
            " bytes");
    return tensor;
  }

  void read_steps() {
    uint64_t operands = 0, attributes = 0, instructions = 0, stored = 0;
    for (const wire::Step& step : view_.steps) {
      operands += uint64_t{step.input_count} + step.output_count;
      attributes += step.attribute_count;
      instructions += step.instruction_count;
      if (step.flags & wire::program_flag) stored += step.output_count;
    }
    // Every one of them refers to records of the buffer, so a count beyond the buffer is caught before memory is asked
    // for.
    require(operands <= view_.integers.size() + view_.steps.size() && attributes <= view_.attributes.size() &&
                instructions <= view_.instructions.size(),
            "the steps refer to more records than there are");
    plan_.operands_.reserve(operands);
    plan_.attributes_.reserve(attributes);
    plan_.instructions_.reserve(instructions);
    plan_.stored_.reserve(stored);
    plan_.steps_.reserve(view_.steps.size());
    bool committing = false;
    double microseconds = 0;
    for (size_t i = 0; i < view_.steps.size(); ++i) {
      const wire::Step& record = view_.steps[i];
      plan_.steps_.push_back(read_step(record, i));
      require(plan_.steps_.back().commit || !committing, "step ", i, " follows a commit step without being one");
      committing = plan_.steps_.back().commit;
      require(std::isfinite(record.flops) && record.flops >= 0 && std::isfinite(record.bytes) && record.bytes >= 0,
              "step ", i, " has no sound cost");
      double runs = 1;
      for (uint32_t loop = loop_of_[i]; loop != wire::no_index; loop = plan_.loops_[loop].outer)
        runs *= static_cast<double>(plan_.loops_[loop].length);
      microseconds += 0.5 * runs + record.flops / 10e3 + record.bytes / 10e3;  // 10 GFLOP/s, 10 GB/s: one thread, cold
    }
    plan_.estimated_microseconds_ = microseconds;
  }

  PlanStep read_step(const wire::Step& record, size_t i) {
    PlanStep result{};
    PolluxStep& step = result.step;
    step.kernel = text(record.kernel);
    step.label = text(record.label);
    require(record.input_count <= 1u << 16 && record.output_count <= 1u << 16, "step ", i, " has too many operands");
    step.input_count = static_cast<int32_t>(record.input_count);
    step.output_count = static_cast<int32_t>(record.output_count);
    require((record.flags & ~(wire::commit_flag | wire::program_flag | wire::append_flag)) == 0, "step ", i,
            " has unknown flags");
    require(record.queue < wire::queue_count, "step ", i, " has an unknown queue");
    result.commit = record.flags & wire::commit_flag;
    result.loop = record.loop;
    require(!result.commit || (loop_of_[i] == wire::no_index && result.loop == wire::no_index), "step ", i,
            " commits in a loop");
    step.flags = result.commit ? POLLUX_STEP_COMMIT : 0;
    step.index = static_cast<int32_t>(i);
    step.operands = plan_.operands_.data() + plan_.operands_.size();
    const auto tensors =
        part(view_.integers, record.operands, uint64_t{record.input_count} + record.output_count, "operands");
    const bool writes = std::strcmp(step.kernel, "checkFinite") != 0;  // a check names its input as its output too
    for (size_t k = 0; k < tensors.size(); ++k) {
      require(tensors[k] >= 0 && static_cast<uint64_t>(tensors[k]) < plan_.tensors_.size(), "step ", i,
              " names tensor ", tensors[k], ", which does not exist");
      const PlanTensor& tensor = plan_.tensors_[static_cast<size_t>(tensors[k])];
      require(lies_in(loop_of_[i], loop_of(static_cast<uint32_t>(tensors[k]))), "step ", i,
              " reads or writes what moves with a loop that it does not lie in");
      if (writes && k >= record.input_count)
        for (const Place& place : places_of(static_cast<uint32_t>(tensors[k])))
          check_output(place, record.flags & (wire::commit_flag | wire::append_flag), i);
      result.tensors.push_back(static_cast<uint32_t>(tensors[k]));
      plan_.operands_.push_back(tensor.operand);
    }
    for (const int64_t wait : part(view_.integers, record.waits, record.wait_count, "waits"))
      require(wait >= 0 && static_cast<uint64_t>(wait) < i, "step ", i, " waits for step ", wait,
              ", which is not an earlier one");
    read_attributes(record, &step);
    read_program(record, &step, i);
    return result;
  }

  /// Only state may be overwritten, and only in the commit phase, so that a failed run leaves everything as it was; or
  /// by a step that appends to it what nobody reads yet.
  void check_output(const Place& place, bool allowed, size_t i) const {
    require(place.kind != wire::LocationKind::constant, "step ", i, " writes to the constants");
    if (place.kind != wire::LocationKind::binding) return;
    require(plan_.bindings_[place.index].kind == wire::BindingKind::state, "step ", i, " writes to binding ",
            place.index, ", which is an input");
    require(allowed, "step ", i, " writes to state (binding ", place.index, ") but is no commit step");
  }

  void read_attributes(const wire::Step& record, PolluxStep* step) {
    step->attributes = plan_.attributes_.data() + plan_.attributes_.size();
    step->attribute_count = static_cast<int32_t>(record.attribute_count);
    const std::span<const double> all(plan_.numbers_);
    for (const wire::Attribute& attribute :
         part(view_.attributes, record.attributes, record.attribute_count, "attributes")) {
      const auto numbers = part(all, attribute.numbers, attribute.count, "the numbers of an attribute");
      require(numbers.size() <= std::numeric_limits<int32_t>::max(), "an attribute has too many numbers");
      plan_.attributes_.push_back({text(attribute.name),
                                   attribute.text == wire::no_text ? nullptr : text(attribute.text),
                                   static_cast<int32_t>(numbers.size()), numbers.data()});
    }
  }

  void read_program(const wire::Step& record, PolluxStep* step, size_t i) {
    if (!(record.flags & wire::program_flag)) {
      require(std::strcmp(step->kernel, "elementwise") != 0 || record.loop != wire::no_index, "step ", i,
              " has no program");
      return;
    }
    require(record.instruction_count <= 1u << 16, "the program of step ", i, " is too long");
    step->instructions = plan_.instructions_.data() + plan_.instructions_.size();
    step->instruction_count = static_cast<int32_t>(record.instruction_count);
    int64_t values = record.input_count;
    for (const wire::Instruction& instruction :
         part(view_.instructions, record.instructions, record.instruction_count, "instructions")) {
      require(instruction.dtype < POLLUX_DTYPE_COUNT && instruction.source_count <= 3, "step ", i,
              " has a malformed instruction");
      PolluxInstruction read{text(instruction.op),
                             static_cast<int32_t>(instruction.dtype),
                             static_cast<int32_t>(instruction.source_count),
                             {instruction.source0, instruction.source1, instruction.source2},
                             instruction.immediate};
      for (int32_t s = 0; s < read.source_count; ++s)
        require(read.source[s] >= 0 && read.source[s] < values, "an instruction of step ", i,
                " reads a value before it is defined");
      plan_.instructions_.push_back(read);
      ++values;
    }
    step->stored = plan_.stored_.data() + plan_.stored_.size();
    for (const int64_t value : part(view_.integers, record.stored, record.output_count, "stored values")) {
      require(value >= 0 && value < values, "step ", i, " stores a value that does not exist");
      plan_.stored_.push_back(static_cast<int32_t>(value));
    }
  }

  const wire::View& view_;
  Plan& plan_;
  std::vector<uint32_t> loop_of_;           ///< the innermost loop around each step
  std::vector<std::vector<Place>> places_;  ///< of each tensor, once asked for
};

std::unique_ptr<Plan> Plan::read(const void* data, uint64_t bytes, std::string* error) {
  // The sections are read in place, which takes an aligned buffer; JavaScript does not promise one.
  std::vector<uint64_t> aligned;
  if (reinterpret_cast<uintptr_t>(data) % alignof(uint64_t)) {
    aligned.resize((bytes + 7) / 8);
    std::memcpy(aligned.data(), data, bytes);
    data = aligned.data();
  }
  wire::View view;
  if (!wire::open(data, bytes, &view, error)) return nullptr;
  auto plan = std::make_unique<Plan>();
  try {
    PlanReader(view, plan.get()).read();
  } catch (const Refused& refused) {
    *error = "the plan is corrupt: " + refused.reason;
    return nullptr;
  }
  return plan;
}

}  // namespace pollux
