// Copies into and out of windows: concat, pad, dynamicSlice, dynamicUpdateSlice, for every dtype and any input strides.
#include "../convert.h"
#include "../layout.h"

namespace pollux::POLLUX_LEVEL {
namespace {

// One strided copy: operand 0 of the layout is the source.
struct Part {
  Layout layout;
  Chunks chunks;  // of rows
};

struct Window {
  Part whole;  // x to y before the window is written (dynamicUpdateSlice)
  int32_t bytes;
  int32_t rank;
  uint64_t value;                         // pad: the bytes of the element around
  int64_t room[POLLUX_MAX_RANK];          // last possible start of the window along each axis
  int64_t start_stride[POLLUX_MAX_RANK];  // elements that a step of the start moves the window
  int64_t index_stride;
  int32_t part_count;
  int64_t offsets[max_operands];  // of each part in the output
  Part parts[];
};

Part plan_part(const PolluxOperand& from, const PolluxOperand& to) {
  const PolluxOperand* operands[] = {&from, &to};
  Part part;
  part.layout = collapse(operands, 2, 1);
  part.chunks = plan_rows(part.layout);
  return part;
}

void copy_part(const RunContext& context, const Part& part, int64_t bytes, const char* from, char* to) {
  visit_size(bytes, [&](auto size) {
    using T = decltype(size);
    parallel(context, part.chunks.count, [&](int64_t chunk) {
      copy_rows(part.layout, reinterpret_cast<const T*>(from), reinterpret_cast<T*>(to), part.chunks.begin(chunk),
                part.chunks.end(chunk));
    });
  });
}

/// `operand` narrowed to `shape`: a window at its first element.
PolluxOperand narrowed(const PolluxOperand& operand, const PolluxOperand& shape) {
  PolluxOperand window = operand;
  memcpy(window.shape, shape.shape, sizeof window.shape);
  return window;
}

Window* make_window(const PolluxStep& step, Prepared* prepared, int parts) {
  Window* p = make_parameters<Window>(prepared, sizeof(Part) * static_cast<size_t>(parts));
  if (!p) return nullptr;
  p->bytes = static_cast<int32_t>(byte_size(output(step, 0).dtype));
  p->part_count = parts;
  return p;
}

// ---- concat ------------------------------------------------------------------------------------------------------

void run_concat(const Prepared& prepared, const RunContext& context) {
  const Window& p = parameters<Window>(prepared);
  for (int i = 0; i < p.part_count; ++i)
    copy_part(context, p.parts[i], p.bytes, input_data<char>(prepared, context, i),
              output_data<char>(prepared, context, 0) + p.offsets[i] * p.bytes);
}

PolluxResult prepare_concat(const PolluxStep& step, Prepared* prepared) {
  if (step.input_count > max_operands) return POLLUX_UNSUPPORTED;
  Window* p = make_window(step, prepared, step.input_count);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  const int axis = static_cast<int>(integer(step, "axis"));
  int64_t start = 0;
  for (int i = 0; i < step.input_count; ++i) {
    p->parts[i] = plan_part(input(step, i), narrowed(output(step, 0), input(step, i)));
    p->offsets[i] = start * output(step, 0).stride[axis];
    start += input(step, i).shape[axis];
  }
  prepared->run = run_concat;
  return POLLUX_SUCCESS;
}

// ---- pad ---------------------------------------------------------------------------------------------------------

void run_pad(const Prepared& prepared, const RunContext& context) {
  const Window& p = parameters<Window>(prepared);
  char* y = output_data<char>(prepared, context, 0);
  visit_size(p.bytes, [&](auto value) {
    memcpy(&value, &p.value, sizeof value);
    parallel(context, p.whole.chunks.count, [&](int64_t chunk) {
      const int64_t begin = p.whole.chunks.begin(chunk);
      copy_row(&value, 0, reinterpret_cast<decltype(value)*>(y) + begin, 1, p.whole.chunks.end(chunk) - begin);
    });
  });
  copy_part(context, p.parts[0], p.bytes, input_data<char>(prepared, context, 0), y + p.offsets[0] * p.bytes);
}

PolluxResult prepare_pad(const PolluxStep& step, Prepared* prepared) {
  Window* p = make_window(step, prepared, 1);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  const PolluxOperand &x = input(step, 0), &y = output(step, 0);
  int64_t low[POLLUX_MAX_RANK] = {};
  numbers(step, "low", low, POLLUX_MAX_RANK);
  for (int axis = 0; axis < x.rank; ++axis) p->offsets[0] += low[axis] * y.stride[axis];
  write_element(y.dtype, number(step, "value"), &p->value);
  p->parts[0] = plan_part(x, narrowed(y, x));
  p->whole.chunks = plan_chunks(element_count(y), 65536);
  prepared->run = run_pad;
  return POLLUX_SUCCESS;
}

// ---- windows placed by data --------------------------------------------------------------------------------------

template <typename Index>
int64_t window_offset(const Window& p, const Index* start) {
  int64_t offset = 0;
  for (int axis = 0; axis < p.rank; ++axis) {
    const int64_t wanted = start[axis * p.index_stride];
    offset += max64(0, min64(p.room[axis], wanted)) * p.start_stride[axis];
  }
  return offset;
}

int64_t read_offset(const Window& p, const Prepared& prepared, const RunContext& context, int operand) {
  const void* start = context.operands[operand];
  return input(*prepared.step, operand).dtype == POLLUX_INT64 ? window_offset(p, static_cast<const int64_t*>(start))
                                                              : window_offset(p, static_cast<const int32_t*>(start));
}

void plan_start(Window* p, const PolluxOperand& around, const PolluxOperand& window, const PolluxOperand& start) {
  p->rank = around.rank;
  p->index_stride = start.stride[0];
  for (int axis = 0; axis < around.rank; ++axis) {
    p->room[axis] = around.shape[axis] - window.shape[axis];
    p->start_stride[axis] = around.stride[axis];
  }
}

void run_slice(const Prepared& prepared, const RunContext& context) {
  const Window& p = parameters<Window>(prepared);
  const int64_t offset = read_offset(p, prepared, context, 1);
  copy_part(context, p.parts[0], p.bytes, input_data<char>(prepared, context, 0) + offset * p.bytes,
            output_data<char>(prepared, context, 0));
}

PolluxResult prepare_slice(const PolluxStep& step, Prepared* prepared) {
  Window* p = make_window(step, prepared, 1);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  const PolluxOperand &x = input(step, 0), &y = output(step, 0);
  plan_start(p, x, y, input(step, 1));
  p->parts[0] = plan_part(narrowed(x, y), y);
  prepared->run = run_slice;
  return POLLUX_SUCCESS;
}

void run_update(const Prepared& prepared, const RunContext& context) {
  const Window& p = parameters<Window>(prepared);
  const char* x = input_data<char>(prepared, context, 0);
  char* y = output_data<char>(prepared, context, 0);
  if (x != y) copy_part(context, p.whole, p.bytes, x, y);
  const int64_t offset = read_offset(p, prepared, context, 2);
  copy_part(context, p.parts[0], p.bytes, input_data<char>(prepared, context, 1), y + offset * p.bytes);
}

PolluxResult prepare_update(const PolluxStep& step, Prepared* prepared) {
  Window* p = make_window(step, prepared, 1);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  const PolluxOperand &update = input(step, 1), &y = output(step, 0);
  p->whole = plan_part(input(step, 0), y);
  plan_start(p, y, update, input(step, 2));
  p->parts[0] = plan_part(update, narrowed(y, update));
  prepared->run = run_update;
  return POLLUX_SUCCESS;
}

const Kernel kernels[] = {{{"concat", all_dtypes, POLLUX_STRIDED_INPUTS, nullptr}, prepare_concat},
                          {{"pad", all_dtypes, POLLUX_STRIDED_INPUTS, nullptr}, prepare_pad},
                          {{"dynamicSlice", all_dtypes, POLLUX_STRIDED_INPUTS, nullptr}, prepare_slice},
                          {{"dynamicUpdateSlice", all_dtypes, POLLUX_STRIDED_INPUTS, nullptr}, prepare_update}};

}  // namespace

extern const KernelTable window_kernels = {kernels, 4};

}  // namespace pollux::POLLUX_LEVEL
