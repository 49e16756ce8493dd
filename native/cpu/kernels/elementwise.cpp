// elementwise: runs a fused program over tiles that stay in the first-level cache.
//
// The operands' common axes are collapsed, and the elements are numbered in row-major order of what is left. A tile is
// a stretch of these numbers. Per tile every instruction runs once, from registers (tile-sized buffers) or straight
// from an input's memory to a register or straight to an output's memory. Inputs that repeat every P elements (scalars,
// a bias over rows) are loaded once per chunk, since tiles are cut at multiples of P.
#include "../elementwise.h"

#include "../convert.h"
#include "../layout.h"

namespace pollux::POLLUX_LEVEL {
namespace {

constexpr int64_t largest_tile = 512;  // elements: a dozen registers and inputs of them share the first-level cache
constexpr int64_t register_budget = 48 * 1024;  // bytes of all registers together: they share 32 to 48 KiB of cache

enum class Place : int8_t {
  register_,  // in register `index`
  input,      // in the memory of input `index`, at the tile
  output      // in the memory of output `index`, at the tile
};

struct Location {
  Place place;
  int32_t index;
};

enum class Action : int8_t { apply, load, store, constant };

// One action on a tile. `load` gathers input `operand` into a register, `store` scatters `sources[0]` to output
// `operand`, `constant` fills a register.
struct Operation {
  Action action;
  bool single;  // makes a number that all elements share: its first element is enough
  int8_t source_count;
  int32_t operand;
  int32_t dtype;  // of what is moved
  Location to;
  Location sources[3];
  Apply apply;
  uint64_t immediate;  // the bytes of a constant, converted
};

struct Program {
  Layout layout;
  Chunks chunks;  // of tiles
  int64_t tile;
  int32_t input_count, output_count;
  int64_t register_bytes;  // of one register
  int64_t all_register_bytes;
  int32_t once_count;  // the first operations run once per chunk: constants and repeating inputs
  int32_t operation_count;
  int8_t bytes[max_operands];   // of one element of each operand
  bool streamed[max_operands];  // inputs that are read from one end of their memory to the other
  Operation operations[];
};

// ---- running -----------------------------------------------------------------------------------------------------

template <typename T>
void load(const Program& p, int operand, const void* memory, int64_t begin, int64_t n, void* to) {
  const T* from = static_cast<const T*>(memory);
  T* tile = static_cast<T*>(to);
  const int64_t stride = p.layout.stride[operand][p.layout.rank - 1];
  visit_rows(p.layout, operand, begin, n, [&](int64_t offset, int64_t count) {
    copy_row(from + offset, stride, tile, 1, count);
    tile += count;
  });
}

template <typename T>
void store(const Program& p, int operand, const void* from, int64_t begin, int64_t n, void* memory) {
  T* to = static_cast<T*>(memory);
  const T* tile = static_cast<const T*>(from);
  const int64_t stride = p.layout.stride[operand][p.layout.rank - 1];
  visit_rows(p.layout, operand, begin, n, [&](int64_t offset, int64_t count) {
    copy_row(tile, 1, to + offset, stride, count);
    tile += count;
  });
}

struct Tile {
  const Program& program;
  const RunContext& context;
  char* registers;
  int64_t begin;
  int64_t count;

  void* locate(Location location) const {
    if (location.place == Place::register_) return registers + location.index * program.register_bytes;
    const int32_t operand = location.place == Place::input ? location.index : program.input_count + location.index;
    return static_cast<char*>(context.operands[operand]) + begin * program.bytes[operand];
  }

  // Asks for the next tile's inputs while this one is worked on: between its bursts a stream is lost to the hardware.
  void prefetch_next() const {
    for (int k = 0; k < program.input_count; ++k) {
      if (!program.streamed[k]) continue;
      const int64_t bytes = program.tile * program.bytes[k];
      const char* next = static_cast<const char*>(context.operands[k]) + (begin + program.tile) * program.bytes[k];
      for (int64_t at = 0; at < bytes; at += 64) __builtin_prefetch(next + at);
    }
  }

  void perform(const Operation& operation) const {
    switch (operation.action) {
      case Action::apply: {
        const void* sources[3];
        for (int i = 0; i < operation.source_count; ++i) sources[i] = locate(operation.sources[i]);
        operation.apply(locate(operation.to), sources, count);
        break;
      }
      case Action::load:
        visit_size(program.bytes[operation.operand], [&](auto size) {
          load<decltype(size)>(program, operation.operand, context.operands[operation.operand], begin,
                               operation.single ? 1 : count, locate(operation.to));
        });
        break;
      case Action::store: {
        const int operand = program.input_count + operation.operand;
        visit_size(program.bytes[operand], [&](auto size) {
          store<decltype(size)>(program, operand, locate(operation.sources[0]), begin, count,
                                context.operands[operand]);
        });
        break;
      }
      case Action::constant: {
        visit_size(byte_size(operation.dtype), [&](auto value) {
          memcpy(&value, &operation.immediate, sizeof value);
          copy_row(&value, 0, static_cast<decltype(value)*>(locate(operation.to)), 1, operation.single ? 1 : count);
        });
        break;
      }
    }
  }
};

void run(const Prepared& prepared, const RunContext& context) {
  const Program& p = parameters<Program>(prepared);
  parallel(context, p.chunks.count, [&](int64_t chunk) {
    alignas(64) char local[register_budget];
    char* registers = p.all_register_bytes <= register_budget
                          ? local
                          : static_cast<char*>(context.scratch) + chunk * p.all_register_bytes;
    Tile tile = {p, context, registers, p.chunks.begin(chunk) * p.tile, p.tile};
    const int64_t end = min64(p.layout.count, p.chunks.end(chunk) * p.tile);
    tile.count = min64(p.tile, end - tile.begin);
    for (int i = 0; i < p.once_count; ++i) tile.perform(p.operations[i]);
    for (; tile.begin < end; tile.begin += p.tile) {
      tile.count = min64(p.tile, end - tile.begin);
      if (tile.begin + p.tile < end) tile.prefetch_next();
      for (int i = p.once_count; i < p.operation_count; ++i) tile.perform(p.operations[i]);
    }
  });
}

// ---- preparing ---------------------------------------------------------------------------------------------------

bool is_linear(const Layout& l, int operand) {
  int64_t expected = 1;
  for (int axis = l.rank - 1; axis >= 0; expected *= l.shape[axis--])
    if (l.stride[operand][axis] != expected) return false;
  return true;
}

// The number of elements after which an operand's values repeat; the whole count if they do not.
int64_t period(const Layout& l, int operand) {
  int64_t length = l.count;
  for (int axis = 0; axis < l.rank && l.stride[operand][axis] == 0; ++axis) length /= l.shape[axis];
  return length;
}

// A rough cost of one element in nanoseconds, to size the chunks: memory traffic and arithmetic.
double element_cost(const PolluxStep& step, const Program& p) {
  double cost = 0;
  for (int i = 0; i < p.input_count + p.output_count; ++i) cost += 0.08 * p.bytes[i];
  for (int i = 0; i < step.instruction_count; ++i) {
    const char* op = step.instructions[i].op;
    const bool library =
        strcmp(op, "pow") == 0 || strcmp(op, "atan2") == 0 || strcmp(op, "tan") == 0 || strcmp(op, "remainder") == 0;
    cost += library ? 10 : 0.3;
  }
  return cost;
}

// What prepare() works out for each value of the program.
struct ValueState {
  Location location;
  int32_t dtype;
  int32_t last_use;  // number of the last instruction that reads it; instruction_count if it is stored by a scatter
  bool placed;
  bool pinned;  // its register holds for the whole chunk
  bool shared;  // one number for all elements
  bool whole;   // needed in every element of its register all the same
};

struct Builder {
  const PolluxStep& step;
  Program& program;
  ValueState* values;
  bool* taken;  // registers in use
  int32_t register_count;

  Location take_register() {
    int32_t index = 0;
    while (taken[index]) ++index;
    taken[index] = true;
    if (index >= register_count) register_count = index + 1;
    return {Place::register_, index};
  }

  void place(int value, Location location) {
    values[value].location = location;
    values[value].placed = true;
  }

  // Number of the one source that is a number shared by all elements, where the instruction has a form for it; else -1.
  int shared_source(const PolluxInstruction& instruction) const {
    if (instruction.source_count != 2) return -1;
    const ValueState& left = values[instruction.source[0]];
    const ValueState& right = values[instruction.source[1]];
    if (left.shared == right.shared) return -1;
    const int source = left.shared ? 0 : 1;
    return find_shared_instruction(instruction.op, right.dtype, source) ? source : -1;
  }

  Operation& append(Action action) {
    Operation& operation = program.operations[program.operation_count++];
    operation.action = action;
    return operation;
  }

  void append_load(int value) {
    Operation& operation = append(Action::load);
    operation.operand = value;
    operation.dtype = values[value].dtype;
    operation.single = values[value].shared && !values[value].whole;
    place(value, take_register());
    operation.to = values[value].location;
  }

  // Registers whose values are not read after instruction `i` are free again.
  void release_dead(int32_t i) {
    for (int v = 0; v < step.input_count + step.instruction_count; ++v) {
      ValueState& value = values[v];
      if (value.placed && !value.pinned && value.location.place == Place::register_ && value.last_use <= i) {
        taken[value.location.index] = false;
        value.last_use = INT32_MAX;  // freed once
      }
    }
  }
};

Apply find_instruction(const PolluxInstruction& instruction, const ValueState* values, int shared) {
  const int32_t source = values[instruction.source[instruction.source_count - 1]].dtype;
  if (shared >= 0) return find_shared_instruction(instruction.op, source, shared);
  if (Apply apply = find_float_instruction(instruction.op, source)) return apply;
  if (Apply apply = find_integer_instruction(instruction.op, source)) return apply;
  return find_move_instruction(instruction.op, source, instruction.dtype);
}

// True if instruction `i` may write straight to the output that stores its value: nothing reads an input's memory
// later, so an output that lies over an input does no harm.
bool reads_later(const PolluxStep& step, const ValueState* values, int32_t i) {
  for (int v = 0; v < step.input_count; ++v)
    if (!values[v].pinned && values[v].last_use > i) return true;
  return false;
}

int64_t choose_tile(const PolluxStep& step, const Layout& layout) {
  int64_t repeat = 1;
  for (int v = 0; v < step.input_count; ++v) {
    const int64_t length = period(layout, v);
    if (length <= largest_tile && length < layout.count && length > repeat) repeat = length;
  }
  return largest_tile / repeat * repeat;
}

PolluxResult build(Builder& b, bool* direct_output) {
  const PolluxStep& step = b.step;
  Program& p = b.program;
  ValueState* values = b.values;
  const int n = step.instruction_count;

  for (int v = 0; v < step.input_count; ++v) values[v] = {{}, input(step, v).dtype, -1, false, false, false, false};
  for (int i = 0; i < n; ++i) {
    const PolluxInstruction& instruction = step.instructions[i];
    const bool constant = strcmp(instruction.op, "constant") == 0;
    values[step.input_count + i] = {{}, instruction.dtype, i, false, constant, constant, false};
    for (int s = 0; s < instruction.source_count; ++s) values[instruction.source[s]].last_use = i;
  }
  for (int o = 0; o < step.output_count; ++o) values[step.stored[o]].last_use = n;

  // Once per chunk: constants, and inputs that repeat with the tile.
  for (int v = 0; v < step.input_count; ++v) {
    const int64_t length = period(p.layout, v);
    if (values[v].last_use < 0 || length == p.layout.count || length > p.tile || p.tile % length != 0) continue;
    values[v].pinned = true;
    values[v].shared = length == 1;
  }
  for (int i = 0; i < n; ++i) {
    const PolluxInstruction& instruction = step.instructions[i];
    const int shared = b.shared_source(instruction);
    for (int s = 0; s < instruction.source_count; ++s)
      if (s != shared) values[instruction.source[s]].whole = true;
  }
  for (int o = 0; o < step.output_count; ++o) values[step.stored[o]].whole = true;
  for (int v = 0; v < step.input_count; ++v)
    if (values[v].pinned) b.append_load(v);
  for (int i = 0; i < n; ++i) {
    const int v = step.input_count + i;
    if (!values[v].pinned) continue;
    Operation& operation = b.append(Action::constant);
    operation.dtype = values[v].dtype;
    operation.single = !values[v].whole;
    write_element(operation.dtype, step.instructions[i].immediate, &operation.immediate);
    b.place(v, b.take_register());
    operation.to = values[v].location;
  }
  p.once_count = p.operation_count;

  // Inputs that are stored as they are come into registers first, so that outputs may lie over them in any order.
  for (int o = 0; o < step.output_count; ++o) {
    const int v = step.stored[o];
    if (v < step.input_count && !values[v].placed && step.output_count > 1) b.append_load(v);
  }

  for (int i = 0; i < n; ++i) {
    const PolluxInstruction& instruction = step.instructions[i];
    const int value = step.input_count + i;
    if (values[value].pinned) continue;
    for (int s = 0; s < instruction.source_count; ++s) {
      const int v = instruction.source[s];
      if (values[v].placed) continue;
      if (is_linear(p.layout, v))
        b.place(v, {Place::input, v});
      else
        b.append_load(v);
    }
    int direct = -1;
    for (int o = 0; o < step.output_count && direct < 0; ++o)
      if (step.stored[o] == value && is_linear(p.layout, step.input_count + o) && !reads_later(step, values, i))
        direct = o;
    if (direct >= 0) direct_output[direct] = true;

    Operation& operation = b.append(Action::apply);
    operation.apply = find_instruction(instruction, values, b.shared_source(instruction));
    if (!operation.apply) return POLLUX_UNSUPPORTED;
    operation.source_count = static_cast<int8_t>(instruction.source_count);
    for (int s = 0; s < instruction.source_count; ++s) operation.sources[s] = values[instruction.source[s]].location;
    b.place(value, direct >= 0 ? Location{Place::output, direct} : b.take_register());
    operation.to = values[value].location;
    b.release_dead(i);
  }

  for (int o = 0; o < step.output_count; ++o) {
    if (direct_output[o]) continue;
    const int v = step.stored[o];
    if (!values[v].placed) {
      if (is_linear(p.layout, v))
        b.place(v, {Place::input, v});
      else
        b.append_load(v);
    }
    Operation& operation = b.append(Action::store);
    operation.operand = o;
    operation.dtype = values[v].dtype;
    operation.sources[0] = values[v].location;
  }
  return POLLUX_SUCCESS;
}

PolluxResult prepare(const PolluxStep& step, Prepared* prepared) {
  const int operand_count = step.input_count + step.output_count;
  if (step.instruction_count == 0 && step.input_count == 1 && step.output_count == 1)
    return prepare_copy(step, prepared);
  if (operand_count > max_operands || step.output_count == 0) return POLLUX_UNSUPPORTED;
  const int value_count = step.input_count + step.instruction_count;
  // At most one operation for each value (its load or its instruction) and one store for each output.
  const int most = value_count + step.output_count;
  Program* p = make_parameters<Program>(prepared, sizeof(Operation) * static_cast<size_t>(most));
  ValueState* values = static_cast<ValueState*>(calloc(static_cast<size_t>(value_count) + 1, sizeof(ValueState)));
  bool* taken = static_cast<bool*>(calloc(static_cast<size_t>(value_count) + 1, 1));
  if (!p || !values || !taken) {
    free(values);
    free(taken);
    return POLLUX_OUT_OF_MEMORY;
  }
  const PolluxOperand* operands[max_operands];
  int64_t widest = 1;
  for (int k = 0; k < operand_count; ++k) {
    operands[k] = &step.operands[k];
    p->bytes[k] = static_cast<int8_t>(byte_size(step.operands[k].dtype));
    widest = max64(widest, p->bytes[k]);
  }
  for (int i = 0; i < step.instruction_count; ++i) widest = max64(widest, byte_size(step.instructions[i].dtype));
  p->layout = collapse(operands, operand_count, step.input_count);
  p->input_count = step.input_count;
  p->output_count = step.output_count;
  prepared->run = run;
  if (p->layout.count == 0) {
    free(values);
    free(taken);
    return POLLUX_SUCCESS;
  }
  p->tile = choose_tile(step, p->layout);
  for (int k = 0; k < step.input_count; ++k) p->streamed[k] = is_linear(p->layout, k);

  bool direct_output[max_operands] = {};
  Builder builder = {step, *p, values, taken, 0};
  const PolluxResult result = build(builder, direct_output);
  free(values);
  free(taken);
  if (result != POLLUX_SUCCESS) return result;

  // A line more than the tile: else all registers would compete for the same sets of the cache.
  p->register_bytes = round_up(p->tile * widest, 64) + 64;
  p->all_register_bytes = p->register_bytes * builder.register_count;
  const int64_t tiles = ceil_div(p->layout.count, p->tile);
  const int64_t grain = static_cast<int64_t>(20000 / (element_cost(step, *p) * static_cast<double>(p->tile)));
  p->chunks = plan_chunks(tiles, max64(1, grain));
  if (p->all_register_bytes > register_budget)
    prepared->scratch_bytes = static_cast<uint64_t>(p->all_register_bytes * p->chunks.count);
  return POLLUX_SUCCESS;
}

// The dtype of the first input is any; what each instruction accepts is described apart (native/cpu/instructions.h).
const Kernel kernels[] = {
    {{"elementwise", all_dtypes, POLLUX_STRIDED_INPUTS | POLLUX_STRIDED_OUTPUTS, nullptr}, prepare}};

}  // namespace

extern const KernelTable elementwise_kernels = {kernels, 1};

}  // namespace pollux::POLLUX_LEVEL
