// conv2dMaxPool: x [N,H,W,I], w [O,kH,kW,I], bias [O] -> y [N,PH,PW,O] and index, the place of each maximum within its
// window. Windows do not overlap, a remainder of rows and columns is dropped, and relu follows the maximum. The rows
// under a row of windows are computed into L1 and pooled there.
#include "conv_patch.h"
#include "conv_strip.h"

namespace pollux::POLLUX_LEVEL {
namespace {

struct ConvolutionPool {
  int64_t images;
  Image source;
  int64_t outputs;
  Window window;
  Pooling pooling;
  int64_t rows, columns;  // of the pooled map
  int64_t height;         // pooled rows in a strip
  int64_t packed_size, strip_size, row_size;
  bool relu, patches;
  Chunks chunks;
  SlotPlan slots;
};

constexpr int64_t kStripFloats = 16 * 1024;  // 64 KiB

void run_nothing(const Prepared&, const RunContext&) {}

// kLanes of 4 and 8 come with 16 registers: weights of one vector of channels are all that fits.
void run_patches(const ConvolutionPool& p, const float* x, int64_t pitch, const float* packed, const float* bias,
                 float* y, uint8_t* index) {
  for (int64_t q = 0; q < p.outputs; q += kPanel) {
    const int64_t here = min64(kPanel, p.outputs - q), width = here <= kLanes ? kLanes : kPanel;
    const float* weights = packed + q * 9;
    if (kLanes == 16 && width == kPanel) {
      pool_patches<2>(x, pitch, weights, width, bias + q, p.relu, p.columns, p.outputs, vec_tail(here - kLanes), y + q,
                      index + q);
      continue;
    }
    for (int64_t o = 0; o < here; o += kLanes) {
      pool_patches<1>(x, pitch, weights + o, width, bias + q + o, p.relu, p.columns, p.outputs, vec_tail(here - o),
                      y + q + o, index + q + o);
    }
  }
}

void run_convolution_pool(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<ConvolutionPool>(prepared);
  const auto* x = input_data<float>(prepared, context, 0);
  const auto* w = input_data<float>(prepared, context, 1);
  const auto* bias = input_data<float>(prepared, context, 2);
  auto* y = output_data<float>(prepared, context, 0);
  auto* index = output_data<uint8_t>(prepared, context, 1);
  auto* packed = static_cast<float*>(context.scratch);
  pack_forward(context, w, p.outputs, p.window.window_y * p.window.window_x * p.source.channels, packed);
  ScratchSlots slots(packed + p.packed_size, p.slots);
  const int64_t columns = p.columns * p.pooling.width, pitch = columns * p.outputs;
  parallel(context, p.chunks.count, [&](int64_t chunk) {
    float* slot = slots.borrow();
    float* row = slot + p.strip_size;
    for_each_strip(
        p.chunks.begin(chunk), p.chunks.end(chunk), p.rows, p.height, [&](int64_t image, int64_t begin, int64_t end) {
          const Region region = region_of(p.window, begin * p.pooling.height, end * p.pooling.height, columns);
          const Strip strip = make_strip(p.source, x + image * p.source.size(), region, slot);
          for (int64_t a = begin; a < end; ++a) {
            const int64_t at = (image * p.rows + a) * p.columns * p.outputs;
            if (p.patches) {
              run_patches(p, strip.at(p.source, 2 * a - p.window.top, -p.window.left), strip.pitch, packed, bias,
                          y + at, index + at);
              continue;
            }
            correlate(p.source, p.window, strip, packed, p.outputs, a * p.pooling.height, (a + 1) * p.pooling.height,
                      columns, row, pitch, p.outputs, 0, bias);
            pool_row(p.pooling, row, pitch, p.columns, p.outputs, p.relu, y + at, index + at);
          }
        });
    slots.give_back(slot);
  });
}

PolluxResult prepare(const PolluxStep& step, Prepared* prepared) {
  auto* p = make_parameters<ConvolutionPool>(prepared);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  const int64_t *x = input(step, 0).shape, *w = input(step, 1).shape, *y = output(step, 0).shape;
  int64_t stride[2] = {1, 1}, padding[4] = {}, pool[2] = {1, 1};
  numbers(step, "stride", stride, 2);
  numbers(step, "padding", padding, 4);
  numbers(step, "window", pool, 2);
  if (element_count(output(step, 0)) == 0) {
    prepared->run = run_nothing;
    return POLLUX_SUCCESS;
  }
  p->images = x[0];
  p->source = {x[1], x[2], x[3]};
  p->outputs = y[3];
  p->window = {w[1], w[2], stride[0], stride[1], padding[0], padding[2]};
  p->pooling = {pool[0], pool[1]};
  p->rows = y[1];
  p->columns = y[2];
  p->relu = strcmp(text(step, "activation", "none"), "relu") == 0;
  p->patches = w[1] == 3 && w[2] == 3 && w[3] == 1 && stride[0] == 1 && stride[1] == 1 && pool[0] == 2 && pool[1] == 2;
  const int64_t steps = w[1] * w[2] * w[3], columns = y[2] * pool[1];
  const double work =
      2.0 * static_cast<double>(steps * pool[0] * columns) * static_cast<double>(round_up(p->outputs, kLanes));
  p->chunks = plan_rows(p->images * p->rows, work);
  const Region one = region_of(p->window, 0, pool[0], columns);
  p->height = (kStripFloats - one.size(p->source)) / max64(1, pool[0] * p->window.step_y * one.pitch(p->source));
  p->height = min64(p->rows, max64(1, p->height));
  for (int64_t begin = 0; begin < p->rows; ++begin) {
    const Region region = region_of(p->window, begin * pool[0], min64(p->rows, begin + p->height) * pool[0], columns);
    if (!inside(region, p->source)) p->strip_size = max64(p->strip_size, region.size(p->source));
  }
  p->strip_size = round_up(p->strip_size, 16);
  p->row_size = round_up(pool[0] * columns * p->outputs, 16);
  p->packed_size = round_up(packed_floats(steps, p->outputs), 16);
  p->slots = plan_slots(p->strip_size + p->row_size, p->chunks.count);
  prepared->scratch_bytes = 4 * static_cast<uint64_t>(p->packed_size + p->slots.floats());
  prepared->run = run_convolution_pool;
  return POLLUX_SUCCESS;
}

const Kernel kernels[] = {
    {{"conv2dMaxPool", dtype_bit(POLLUX_FLOAT32), 0, "bias;relu"}, prepare},
};

}  // namespace

extern const KernelTable conv_pool_kernels = {kernels, 1};

}  // namespace pollux::POLLUX_LEVEL
