// conv2dGradWeight: x [N,H,W,I], dy [N,OH,OW,O] -> dw [O,kH,kW,I/groups]; and conv2dGradWeightUnpool, which takes the
// gradient of the pooled map and the places of the maxima, and unpools it strip by strip, so that dy is never written.
//
// dw = x^T dy over all pixels: a tile holds up to kTileRows taps and channels of x and two vectors of output channels.
// Each chunk of rows sums into a partial gradient of its own; these are added in chunk order and turned round.
#include "conv_depthwise.h"
#include "conv_patch.h"
#include "conv_phase.h"

namespace pollux::POLLUX_LEVEL {
namespace {

struct WeightGradient {
  Image source;
  int64_t outputs;
  Window window;
  int64_t groups;
  int64_t steps;                      // window_y * window_x * channels / groups
  int64_t rows, columns;              // of dy in one image; of those rows that are pooled, where dy is unpooled
  Pooling pooling;                    // 1 x 1 for conv2dGradWeight
  int64_t image_rows, image_columns;  // of the gradient as it arrives
  int64_t height;                     // rows of dy as it arrives in a strip
  int64_t strip_size, unpooled_size, partial_size;
  bool unpools, patches, apart;  // apart: taps do not lie side by side
  Chunks chunks;
  SlotPlan slots;
};

constexpr int64_t kStripFloats = 6 * 1024;  // 24 KiB of x and dy: a strip is read once for each tile, from L1

void run_nothing(const Prepared&, const RunContext&) {}

// Taps that lie side by side enter a tile together.
void add_strip(const WeightGradient& p, const Strip& strip, int64_t begin, int64_t end, const float* dy, float* partial,
               int flags) {
  const int64_t taps = p.window.window_x * p.source.channels;
  const int tile_rows = balanced_rows(taps);
  for (int64_t ky = 0; ky < p.window.window_y; ++ky) {
    const float* row = strip.at(p.source, begin * p.window.step_y - p.window.top + ky, -p.window.left);
    for (int64_t i = 0; i < taps; i += tile_rows) {
      const View view{row + i, p.window.step_x * p.source.channels, static_cast<int32_t>(p.columns),
                      static_cast<int32_t>(end - begin), p.window.step_y * strip.pitch};
      for (int64_t q = 0; q < p.outputs; q += kPanel) {
        run_tile(true, static_cast<int>(min64(tile_rows, taps - i)), min64(kPanel, p.outputs - q), view, dy + q,
                 p.outputs, partial + (ky * taps + i) * p.outputs + q, p.outputs, flags, nullptr);
      }
    }
  }
}

// The same where they do not (a dilation, or groups): a tile holds channels of one tap and one group.
void add_strip_apart(const WeightGradient& p, const Strip& strip, int64_t begin, int64_t end, const float* dy,
                     float* partial, int flags) {
  const Window& w = p.window;
  const int64_t channels = p.source.channels / p.groups, outputs = p.outputs / p.groups;
  const int tile_rows = balanced_rows(channels);
  for (int64_t tap = 0; tap < w.window_y * w.window_x; ++tap) {
    const float* row = strip.at(p.source, begin * w.step_y - w.top + tap / w.window_x * w.dilation_y,
                                tap % w.window_x * w.dilation_x - w.left);
    for (int64_t g = 0; g < p.groups; ++g) {
      for (int64_t i = 0; i < channels; i += tile_rows) {
        const View view{row + g * channels + i, w.step_x * p.source.channels, static_cast<int32_t>(p.columns),
                        static_cast<int32_t>(end - begin), w.step_y * strip.pitch};
        for (int64_t q = 0; q < outputs; q += kPanel) {
          const int64_t output = g * outputs + q;
          run_tile(true, static_cast<int>(min64(tile_rows, channels - i)), min64(kPanel, outputs - q), view,
                   dy + output, p.outputs, partial + (tap * channels + i) * p.outputs + output, p.outputs, flags,
                   nullptr);
        }
      }
    }
  }
}

void add_patches(const WeightGradient& p, const Strip& strip, int64_t rows, const float* dy, const uint8_t* index,
                 float* partial, bool accumulate) {
  for (int64_t q = 0; q < p.outputs; q += kPanel) {
    const int64_t here = min64(kPanel, p.outputs - q);
    const auto run = here > kLanes ? unpool_patches<2> : unpool_patches<1>;
    run(strip.data, strip.pitch, rows, p.image_columns, dy + q, index + q, p.outputs,
        vec_tail(here > kLanes ? here - kLanes : here), partial + q, accumulate);
  }
}

// dw(o, k) = sum over chunks of partial(k, o), in chunk order.
void reduce(const RunContext& context, const WeightGradient& p, const float* partials, float* dw) {
  const Chunks blocks =
      plan_chunks(ceil_div(p.steps, kLanes), 1 + 32768 / (p.outputs * kLanes * max64(1, p.chunks.count)));
  parallel(context, blocks.count, [&](int64_t chunk) {
    for (int64_t k = blocks.begin(chunk) * kLanes; k < min64(p.steps, blocks.end(chunk) * kLanes); k += kLanes) {
      const int64_t depth = min64(kLanes, p.steps - k);
      const Tail depth_tail = vec_tail(depth);
      for (int64_t o = 0; o < p.outputs; o += kLanes) {
        const Tail tail = vec_tail(p.outputs - o);
        Vec block[kLanes];
        POLLUX_UNROLL
        for (int i = 0; i < kLanes; ++i) {
          block[i] = vec_zero();
          if (i >= depth) continue;
          const float* from = partials + (k + i) * p.outputs + o;
          for (int64_t c = 0; c < p.chunks.count; ++c, from += p.partial_size)
            block[i] = vec_add(block[i], vec_load(from, tail));
        }
        transpose_square(block);
        POLLUX_UNROLL
        for (int i = 0; i < kLanes; ++i) {
          if (o + i < p.outputs) vec_store(dw + (o + i) * p.steps + k, block[i], depth_tail);
        }
      }
    }
  });
}

void run_weight_gradient(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<WeightGradient>(prepared);
  const auto* x = input_data<float>(prepared, context, 0);
  const auto* dy = input_data<float>(prepared, context, 1);
  const uint8_t* index = p.unpools ? input_data<uint8_t>(prepared, context, 2) : nullptr;
  auto* partials = static_cast<float*>(context.scratch);
  ScratchSlots slots(partials + p.partial_size * p.chunks.count, p.slots);
  parallel(context, p.chunks.count, [&](int64_t chunk) {
    float* slot = slots.borrow();
    float* partial = partials + chunk * p.partial_size;
    int flags = 0;
    for_each_strip(
        p.chunks.begin(chunk), p.chunks.end(chunk), p.image_rows, p.height,
        [&](int64_t image, int64_t begin, int64_t end) {
          const float* gradient = dy + (image * p.image_rows + begin) * p.image_columns * p.outputs;
          const int64_t top = begin * p.pooling.height, bottom = end * p.pooling.height;
          const Strip strip =
              make_strip(p.source, x + image * p.source.size(), region_of(p.window, top, bottom, p.columns), slot);
          const uint8_t* places =
              !p.unpools ? nullptr : index + (image * p.image_rows + begin) * p.image_columns * p.outputs;
          if (p.patches) {
            add_patches(p, strip, end - begin, gradient, places, partial, flags != 0);
            flags = kAccumulate;
            return;
          }
          if (p.unpools) {
            unpool(p.pooling, end - begin, p.image_columns, p.outputs, gradient, places, slot + p.strip_size);
            gradient = slot + p.strip_size;
          }
          const auto add = p.apart ? add_strip_apart : add_strip;
          add(p, strip, top, bottom, gradient, partial, flags);
          flags = kAccumulate;
        });
    slots.give_back(slot);
  });
  reduce(context, p, partials, output_data<float>(prepared, context, 0));
}

PolluxResult prepare(const PolluxStep& step, Prepared* prepared) {
  const int64_t *x = input(step, 0).shape, *dy = input(step, 1).shape, *dw = output(step, 0).shape;
  if (is_depthwise(step, x[3], dy[3])) return prepare_depthwise_grad_weight(step, prepared);
  auto* p = make_parameters<WeightGradient>(prepared);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  const Geometry geometry = read_geometry(step);
  const int64_t *stride = geometry.stride, *padding = geometry.padding;
  int64_t pool[2] = {1, 1};
  p->unpools = step.input_count > 2;
  if (p->unpools) numbers(step, "window", pool, 2);
  if (element_count(output(step, 0)) == 0) {
    prepared->run = run_nothing;
    return POLLUX_SUCCESS;
  }
  p->source = {x[1], x[2], x[3]};
  p->outputs = dw[0];
  p->window = {dw[1], dw[2], stride[0], stride[1], padding[0], padding[2], geometry.dilation[0], geometry.dilation[1]};
  p->groups = geometry.groups;
  p->apart = geometry.groups > 1 || geometry.dilation[0] > 1 || geometry.dilation[1] > 1;
  p->steps = dw[1] * dw[2] * dw[3];
  p->pooling = {pool[0], pool[1]};
  p->patches = kUnpoolsPatches && p->unpools && dw[1] == 3 && dw[2] == 3 && dw[3] == 1 && stride[0] == 1 &&
               stride[1] == 1 && pool[0] == 2 && pool[1] == 2;
  p->image_rows = dy[1];
  p->image_columns = dy[2];
  p->rows = dy[1] * pool[0];
  p->columns = dy[2] * pool[1];
  p->partial_size = round_up(p->steps * p->outputs, 16);
  const int64_t all_rows = dy[2] == 0 ? 0 : x[0] * dy[1];  // rows without pixels add nothing
  const double row_work =
      2.0 * static_cast<double>(p->steps * pool[0] * p->columns) * static_cast<double>(round_up(p->outputs, kLanes));
  // So many chunks that writing and adding the partial gradients costs at most about a twentieth of the arithmetic.
  const double afford = 0.0005 * row_work * static_cast<double>(all_rows) / static_cast<double>(p->partial_size);
  const int64_t most = afford < 1 ? 1 : afford > 64 ? 64 : static_cast<int64_t>(afford);
  p->chunks = plan_rows(all_rows, row_work, most);
  if (all_rows > 0) {
    const Region one = region_of(p->window, 0, pool[0], p->columns);
    const int64_t per_row = pool[0] * (p->window.step_y * one.pitch(p->source) + p->columns * p->outputs);
    const int64_t enough = ceil_div(128, p->columns * pool[0]);  // steps that outweigh loading and storing the tile
    p->height = min64(p->image_rows, max64(enough, (kStripFloats - one.size(p->source)) / per_row));
    for (int64_t begin = 0; begin < p->image_rows; ++begin) {
      const Region region =
          region_of(p->window, begin * pool[0], min64(p->image_rows, begin + p->height) * pool[0], p->columns);
      if (!inside(region, p->source)) p->strip_size = max64(p->strip_size, region.size(p->source));
    }
  }
  p->strip_size = round_up(p->strip_size, 16);
  p->unpooled_size = p->unpools && !p->patches ? round_up(p->height * pool[0] * p->columns * p->outputs, 16) : 0;
  p->slots = plan_slots(p->strip_size + p->unpooled_size, p->chunks.count);
  prepared->scratch_bytes = 4 * static_cast<uint64_t>(p->partial_size * p->chunks.count + p->slots.floats());
  prepared->run = run_weight_gradient;
  return POLLUX_SUCCESS;
}

const Kernel kernels[] = {
    {{"conv2dGradWeight", dtype_bit(POLLUX_FLOAT32), 0, nullptr}, prepare},
    {{"conv2dGradWeightUnpool", dtype_bit(POLLUX_FLOAT32), 0, nullptr}, prepare},
};

}  // namespace

extern const KernelTable conv_weight_kernels = {kernels, 2};

}  // namespace pollux::POLLUX_LEVEL
