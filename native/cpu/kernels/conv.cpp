// conv2d: x [N,H,W,I], w [O,kH,kW,I/groups], bias [O] -> y [N,OH,OW,O]; and conv2dGradInput: dy, w -> dx.
#include "conv_depthwise.h"
#include "conv_phase.h"

namespace pollux::POLLUX_LEVEL {
namespace {

struct Convolution {
  int64_t images;
  Image source;          // x, or dy
  int64_t outputs;       // channels of y, or of dx
  int64_t target_width;  // of y, or of dx
  int64_t target_size;   // numbers in one image of y, or of dx
  int64_t kernel_y, kernel_x;
  Geometry geometry;
  int64_t step_y, step_x;  // distance of the pixels of a phase in the target
  int64_t rows;            // rows of the largest phase
  int64_t height;          // of a strip
  int64_t packed_size, strip_size;
  bool has_bias, relu, transposed, apart;  // apart: taps do not lie side by side
  Chunks chunks;
  SlotPlan slots;
  int phase_count;
  Phase phases[1];  // phase_count of them
};

constexpr int64_t kStripFloats = 32 * 1024;  // 128 KiB

void run_nothing(const Prepared&, const RunContext&) {}

Region strip_region(const Convolution& p, int64_t begin, int64_t end) {
  Region region{};
  bool first = true;
  for (int i = 0; i < p.phase_count; ++i) {
    const Phase& phase = p.phases[i];
    const int64_t last = min64(end, phase.rows);
    if (begin >= last || phase.columns == 0 || phase.window.window_y * phase.window.window_x == 0) continue;
    const Region here = region_of(phase.window, begin, last, phase.columns);
    region = first ? here : join(region, here);
    first = false;
  }
  return region;
}

void pack_weights(const RunContext& context, const Convolution& p, const float* w, float* packed) {
  const int64_t taps = p.kernel_y * p.kernel_x, groups = p.geometry.groups;
  const int64_t rows = p.source.channels / groups, outputs = p.outputs / groups;
  if (!p.transposed) {
    for (int64_t g = 0; g < groups; ++g)
      pack_forward(context, w + g * outputs * taps * rows, outputs, taps * rows, packed + g * p.phases[0].group_packed);
    return;
  }
  const Chunks chunks = plan_chunks(taps, 1 + 65536 / (p.source.channels * outputs + 1));
  parallel(context, chunks.count, [&](int64_t chunk) {
    for (int64_t tap = chunks.begin(chunk); tap < chunks.end(chunk); ++tap) {
      for (int i = 0; i < p.phase_count; ++i) {
        const Phase& phase = p.phases[i];
        const int64_t place = place_of_tap(p.geometry, phase, tap / p.kernel_x, tap % p.kernel_x);
        if (place < 0) continue;
        const int64_t panel = phase.window.window_y * phase.window.window_x * rows * kPanel;
        for (int64_t g = 0; g < groups; ++g) {
          pack_rows(w + (g * rows * taps + tap) * outputs, taps * outputs, outputs, place * rows, rows,
                    packed + phase.packed + g * phase.group_packed, panel);
        }
      }
    }
  });
}

// Output rows [begin, end) of one phase of an image; `to` points at the first.
void correlate_phase(const Convolution& p, const Phase& phase, const Strip& strip, const float* packed, int64_t begin,
                     int64_t end, float* to, const float* bias) {
  const int64_t row_stride = p.step_y * p.target_width * p.outputs, pixel_stride = p.step_x * p.outputs;
  const int flags = p.relu ? kRelu : 0;
  if (!p.apart) {
    correlate(p.source, phase.window, strip, packed, p.outputs, begin, end, phase.columns, to, row_stride, pixel_stride,
              flags, bias);
    return;
  }
  const int64_t groups = p.geometry.groups, channels = p.source.channels / groups, outputs = p.outputs / groups;
  for (int64_t g = 0; g < groups; ++g) {
    correlate_apart(p.source, phase.window, g * channels, channels, strip, packed + g * phase.group_packed, outputs,
                    begin, end, phase.columns, to + g * outputs, row_stride, pixel_stride, flags,
                    bias ? bias + g * outputs : nullptr);
  }
}

void run_convolution(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<Convolution>(prepared);
  const auto* source = input_data<float>(prepared, context, 0);
  const auto* w = input_data<float>(prepared, context, 1);
  const float* bias = p.has_bias ? input_data<float>(prepared, context, 2) : nullptr;
  auto* target = output_data<float>(prepared, context, 0);
  auto* packed = static_cast<float*>(context.scratch);
  pack_weights(context, p, w, packed);
  ScratchSlots slots(packed + p.packed_size, p.slots);
  parallel(context, p.chunks.count, [&](int64_t chunk) {
    float* slot = slots.borrow();
    for_each_strip(
        p.chunks.begin(chunk), p.chunks.end(chunk), p.rows, p.height, [&](int64_t image, int64_t begin, int64_t end) {
          const Strip strip = make_strip(p.source, source + image * p.source.size(), strip_region(p, begin, end), slot);
          for (int i = 0; i < p.phase_count; ++i) {
            const Phase& phase = p.phases[i];
            const int64_t y = begin * p.step_y + phase.offset_y;
            correlate_phase(p, phase, strip, packed + phase.packed, begin, min64(end, phase.rows),
                            target + image * p.target_size + (y * p.target_width + phase.offset_x) * p.outputs, bias);
          }
        });
    slots.give_back(slot);
  });
}

// ---- preparing ---------------------------------------------------------------------------------------------------

PolluxResult finish(Convolution& p, Prepared* prepared) {
  double work = 0;
  p.packed_size = 0;
  for (int i = 0; i < p.phase_count; ++i) {
    Phase& phase = p.phases[i];
    const int64_t groups = p.geometry.groups;
    const int64_t steps = phase.window.window_y * phase.window.window_x * (p.source.channels / groups);
    phase.packed = p.packed_size;
    phase.group_packed = packed_floats(steps, p.outputs / groups);
    p.packed_size += round_up(groups * phase.group_packed, 16);
    p.rows = max64(p.rows, phase.rows);
    work += 2.0 * static_cast<double>(steps) * static_cast<double>(phase.columns) *
            static_cast<double>(groups * round_up(p.outputs / groups, kLanes));
  }
  const int64_t width = strip_region(p, 0, p.rows).pitch(p.source);
  const int64_t halo = (strip_region(p, 0, 1).bottom - strip_region(p, 0, 1).top) * width;
  p.height = max64(1, (kStripFloats - halo) / max64(1, p.phases[0].window.step_y * width));
  p.height = min64(p.height, p.rows);
  p.chunks = plan_rows(p.images * p.rows, work);
  for (int64_t begin = 0; begin < p.rows; ++begin) {
    const Region region = strip_region(p, begin, min64(p.rows, begin + p.height));
    if (!inside(region, p.source)) p.strip_size = max64(p.strip_size, region.size(p.source));
  }
  p.strip_size = round_up(p.strip_size, 16);
  p.slots = plan_slots(p.strip_size, p.chunks.count);
  prepared->scratch_bytes = 4 * static_cast<uint64_t>(p.packed_size + p.slots.floats());
  prepared->run = run_convolution;
  return POLLUX_SUCCESS;
}

PolluxResult prepare_forward(const PolluxStep& step, Prepared* prepared) {
  if (is_depthwise(step, input(step, 0).shape[3], output(step, 0).shape[3])) return prepare_depthwise(step, prepared);
  auto* p = make_parameters<Convolution>(prepared);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  const int64_t *x = input(step, 0).shape, *w = input(step, 1).shape, *y = output(step, 0).shape;
  const Geometry geometry = p->geometry = read_geometry(step);
  const int64_t *stride = geometry.stride, *padding = geometry.padding;
  p->images = x[0];
  p->source = {x[1], x[2], x[3]};
  p->outputs = y[3];
  p->target_width = y[2];
  p->target_size = y[1] * y[2] * y[3];
  p->kernel_y = w[1];
  p->kernel_x = w[2];
  p->step_y = p->step_x = 1;
  p->has_bias = step.input_count > 2;
  p->relu = strcmp(text(step, "activation", "none"), "relu") == 0;
  p->phase_count = 1;
  p->phases[0].window = {
      w[1], w[2], stride[0], stride[1], padding[0], padding[2], geometry.dilation[0], geometry.dilation[1]};
  p->apart = geometry.groups > 1 || geometry.dilation[0] > 1 || geometry.dilation[1] > 1;
  p->phases[0].rows = y[1];
  p->phases[0].columns = y[2];
  if (element_count(output(step, 0)) == 0) {
    prepared->run = run_nothing;
    return POLLUX_SUCCESS;
  }
  const bool pointwise = w[1] == 1 && w[2] == 1 && stride[0] == 1 && stride[1] == 1 && y[1] == x[1] && y[2] == x[2];
  if (pointwise && padding[0] == 0 && padding[2] == 0) {  // join short rows into whole tiles
    int64_t joined = max64(1, min64(x[1], kTileRows / x[2]));
    while (x[1] % joined != 0) --joined;
    p->source = {x[1] / joined, x[2] * joined, x[3]};
    p->target_width = p->phases[0].columns = x[2] * joined;
    p->phases[0].rows = x[1] / joined;
  }
  return finish(*p, prepared);
}

PolluxResult prepare_grad_input(const PolluxStep& step, Prepared* prepared) {
  if (is_depthwise(step, output(step, 0).shape[3], input(step, 0).shape[3]))
    return prepare_depthwise_grad_input(step, prepared);
  const int64_t *dy = input(step, 0).shape, *w = input(step, 1).shape, *dx = output(step, 0).shape;
  const Geometry geometry = read_geometry(step);
  const int64_t phases = geometry.stride[0] * geometry.stride[1];
  auto* p = make_parameters<Convolution>(prepared, static_cast<size_t>(phases - 1) * sizeof(Phase));
  if (!p) return POLLUX_OUT_OF_MEMORY;
  p->images = dy[0];
  p->source = {dy[1], dy[2], dy[3]};
  p->outputs = dx[3];
  p->target_width = dx[2];
  p->target_size = dx[1] * dx[2] * dx[3];
  p->kernel_y = w[1];
  p->kernel_x = w[2];
  p->geometry = geometry;
  p->step_y = geometry.stride[0];
  p->step_x = geometry.stride[1];
  p->transposed = true;
  if (element_count(output(step, 0)) == 0) {
    prepared->run = run_nothing;
    return POLLUX_SUCCESS;
  }
  p->phase_count = make_phases(geometry, dx, w + 1, element_count(input(step, 0)) == 0, p->phases);
  p->apart = geometry.groups > 1;
  for (int i = 0; i < p->phase_count; ++i) {
    const Window& window = p->phases[i].window;
    if (window.dilation_y > 1 || window.dilation_x > 1) p->apart = true;
  }
  return finish(*p, prepared);
}

const Kernel kernels[] = {
    {{"conv2d", dtype_bit(POLLUX_FLOAT32), 0, "bias;relu"}, prepare_forward},
    {{"conv2dGradInput", dtype_bit(POLLUX_FLOAT32), 0, nullptr}, prepare_grad_input},
};

}  // namespace

extern const KernelTable conv_kernels = {kernels, 2};

}  // namespace pollux::POLLUX_LEVEL
