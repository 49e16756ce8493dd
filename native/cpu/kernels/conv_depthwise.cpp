// conv2d, conv2dGradInput and conv2dGradWeight with a kernel for each channel: x [N,H,W,C], w [C,kH,kW,1] -> y
// [N,OH,OW,C]. Vectors run over the channels. There is little arithmetic for each number read, so nothing is copied:
// taps beyond the border of the image are left out instead.
#include "conv_depthwise.h"

#include "conv_phase.h"

namespace pollux::POLLUX_LEVEL {
namespace {

constexpr int kPixels = kLanes == 16 ? 12 : 6;  // sums that are built together

struct Depthwise {
  Image source;  // x, or dy
  Geometry geometry;
  int64_t kernel_y, kernel_x;
  int64_t rows, target_width, target_size;  // rows of the largest phase
  int64_t step_y, step_x;                   // distance of the pixels of a phase in the target
  bool has_bias, relu, transposed;
  Chunks chunks;  // of the rows of all images
  int phase_count;
  Phase phases[1];  // phase_count of them
};

// The places of a window of `taps` that begins at `start` of an axis of `size` and lie on it.
struct Taps {
  int64_t begin, end;
};
inline Taps taps_inside(int64_t start, int64_t taps, int64_t dilation, int64_t size) {
  const int64_t begin = min64(taps, ceil_div(max64(0, -start), dilation));
  return {begin, max64(begin, min64(taps, ceil_div(max64(0, size - start), dilation)))};
}

// What a run of neighbouring pixels has in common.
struct Row {
  const float* x;  // of the first tap of the first window row
  int64_t window_rows, row_pitch;
  int64_t taps, tap_pitch, pixel_pitch;
  const float* weights;  // [window row][tap][channel]
  int64_t weight_pitch;
  int64_t channels;
  const float* bias;
  bool relu;
  int64_t target_pitch;
};

template <int Pixels, bool Whole>
inline void some_channels(const Row& row, int64_t c, Tail tail, float* to) {
  const auto read = [=](const float* from) { return Whole ? vec_load(from) : vec_load(from, tail); };
  Vec sum[Pixels];
  POLLUX_UNROLL
  for (int p = 0; p < Pixels; ++p) sum[p] = vec_zero();
  if (Pixels > 1) {  // the next pixels of the lowest row, which was not read before: their lines lie far apart
    const float* next = row.x + (row.window_rows - 1) * row.row_pitch + Pixels * row.pixel_pitch + c;
    POLLUX_UNROLL
    for (int p = 0; p < Pixels; ++p) {
      __builtin_prefetch(next + p * row.pixel_pitch);
      if (row.pixel_pitch > row.tap_pitch) __builtin_prefetch(next + p * row.pixel_pitch + row.tap_pitch);
    }
  }
  for (int64_t r = 0; r < row.window_rows; ++r) {
    const float* x = row.x + r * row.row_pitch + c;
    const float* weight = row.weights + r * row.weight_pitch + c;
    for (int64_t s = 0; s < row.taps; ++s, x += row.tap_pitch, weight += row.channels) {
      const Vec w = read(weight);
      POLLUX_UNROLL
      for (int p = 0; p < Pixels; ++p) sum[p] = vec_fma(read(x + p * row.pixel_pitch), w, sum[p]);
    }
  }
  POLLUX_UNROLL
  for (int p = 0; p < Pixels; ++p) {
    if (row.bias) sum[p] = vec_add(sum[p], read(row.bias + c));
    if (row.relu) sum[p] = vec_relu(sum[p]);
    if (Whole) {
      vec_store(to + p * row.target_pitch + c, sum[p]);
    } else {
      vec_store(to + p * row.target_pitch + c, sum[p], tail);
    }
  }
}

template <int Pixels>
inline void some_pixels(const Row& row, float* to) {
  int64_t c = 0;
  for (; c + kLanes <= row.channels; c += kLanes) some_channels<Pixels, true>(row, c, vec_tail(kLanes), to);
  if (c < row.channels) some_channels<Pixels, false>(row, c, vec_tail(row.channels - c), to);
}

void run_row(const Depthwise& p, const Phase& phase, const float* image, const float* packed, const float* bias,
             int64_t a, float* to) {
  const Window& w = phase.window;
  const int64_t channels = p.source.channels, y = a * w.step_y - w.top;
  const Taps down = taps_inside(y, w.window_y, w.dilation_y, p.source.height);
  const float* begin = image + (y + down.begin * w.dilation_y) * p.source.width * channels;
  Row row{nullptr,
          down.end - down.begin,
          w.dilation_y * p.source.width * channels,
          0,
          w.dilation_x * channels,
          w.step_x * channels,
          nullptr,
          w.window_x * channels,
          channels,
          bias,
          p.relu,
          p.step_x * channels};
  for (int64_t b = 0; b < phase.columns;) {
    const int64_t x = b * w.step_x - w.left;
    const Taps across = taps_inside(x, w.window_x, w.dilation_x, p.source.width);
    row.taps = across.end - across.begin;
    row.x = begin + (x + across.begin * w.dilation_x) * channels;
    row.weights = packed + (down.begin * w.window_x + across.begin) * channels;
    // Several pixels go together if the windows of the first and the last lie inside.
    const auto inside = [&](int64_t pixels) {
      return x >= 0 && x + (pixels - 1) * w.step_x + w.reach_x() <= p.source.width && b + pixels <= phase.columns;
    };
    if (inside(kPixels)) {
      some_pixels<kPixels>(row, to + b * row.target_pitch);
      b += kPixels;
    } else if (inside(kPixels / 3)) {
      some_pixels<kPixels / 3>(row, to + b * row.target_pitch);
      b += kPixels / 3;
    } else {
      some_pixels<1>(row, to + b * row.target_pitch);
      ++b;
    }
  }
}

void pack(const Depthwise& p, const float* w, float* packed) {
  const int64_t taps = p.kernel_y * p.kernel_x, channels = p.source.channels;
  for (int64_t tap = 0; tap < taps; ++tap) {
    for (int i = 0; i < p.phase_count; ++i) {
      const Phase& phase = p.phases[i];
      const int64_t place = p.transposed ? place_of_tap(p.geometry, phase, tap / p.kernel_x, tap % p.kernel_x) : tap;
      if (place < 0) continue;
      float* to = packed + phase.packed + place * channels;
      for (int64_t c = 0; c < channels; ++c) to[c] = w[c * taps + tap];
    }
  }
}

void run_depthwise(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<Depthwise>(prepared);
  const auto* source = input_data<float>(prepared, context, 0);
  const float* bias = p.has_bias ? input_data<float>(prepared, context, 2) : nullptr;
  auto* target = output_data<float>(prepared, context, 0);
  auto* packed = static_cast<float*>(context.scratch);
  pack(p, input_data<float>(prepared, context, 1), packed);
  parallel(context, p.chunks.count, [&](int64_t chunk) {
    for (int64_t row = p.chunks.begin(chunk); row < p.chunks.end(chunk); ++row) {
      const int64_t image = row / p.rows, a = row % p.rows;
      for (int i = 0; i < p.phase_count; ++i) {
        const Phase& phase = p.phases[i];
        if (a >= phase.rows) continue;
        const int64_t first = (a * p.step_y + phase.offset_y) * p.target_width + phase.offset_x;
        run_row(p, phase, source + image * p.source.size(), packed + phase.packed, bias, a,
                target + image * p.target_size + first * p.source.channels);
      }
    }
  });
}

void run_nothing(const Prepared&, const RunContext&) {}

PolluxResult finish(const PolluxStep& step, Depthwise& p, Prepared* prepared) {
  const int64_t *source = input(step, 0).shape, *w = input(step, 1).shape, *target = output(step, 0).shape;
  if (element_count(output(step, 0)) == 0) {
    prepared->run = run_nothing;
    return POLLUX_SUCCESS;
  }
  p.source = {source[1], source[2], source[3]};
  p.kernel_y = w[1];
  p.kernel_x = w[2];
  p.target_width = target[2];
  p.target_size = target[1] * target[2] * target[3];
  int64_t packed = 0;
  double work = 0;
  for (int i = 0; i < p.phase_count; ++i) {
    Phase& phase = p.phases[i];
    const int64_t taps = phase.window.window_y * phase.window.window_x;
    phase.packed = packed;
    packed += taps * p.source.channels;
    p.rows = max64(p.rows, phase.rows);
    // A number costs about as much to write as four taps to add.
    work += 2.0 * static_cast<double>((taps + 4) * phase.columns) * static_cast<double>(p.source.channels);
  }
  p.chunks = plan_rows(source[0] * p.rows, 4 * work);
  prepared->scratch_bytes = 4 * static_cast<uint64_t>(packed);
  prepared->run = run_depthwise;
  return POLLUX_SUCCESS;
}

// ---- the gradient by the weight ----------------------------------------------------------------------------------

struct DepthwiseWeight {
  Image source;
  Window window;
  int64_t rows, columns;  // of dy in one image
  int64_t partial_size;
  Chunks chunks;
};

// partial[tap][channel] += sum over `columns` pixels of x(pixel, tap) dy(pixel), for Taps neighbouring taps.
template <int TapCount, int Vectors>
inline void add_taps(const float* x, int64_t pixel_pitch, int64_t tap_pitch, const float* dy, int64_t columns,
                     int64_t channels, Tail tail, float* partial) {
  const Tail all = vec_tail(kLanes);
  Vec sum[TapCount][Vectors];
  POLLUX_UNROLL
  for (int t = 0; t < TapCount; ++t) {
    POLLUX_UNROLL
    for (int v = 0; v < Vectors; ++v) sum[t][v] = vec_zero();
  }
  for (int64_t b = 0; b < columns; ++b, x += pixel_pitch, dy += channels) {
    POLLUX_UNROLL
    for (int v = 0; v < Vectors; ++v) {
      const Tail lanes = v + 1 < Vectors ? all : tail;
      const Vec g = vec_load(dy + v * kLanes, lanes);
      POLLUX_UNROLL
      for (int t = 0; t < TapCount; ++t)
        sum[t][v] = vec_fma(vec_load(x + t * tap_pitch + v * kLanes, lanes), g, sum[t][v]);
    }
  }
  POLLUX_UNROLL
  for (int t = 0; t < TapCount; ++t) {
    POLLUX_UNROLL
    for (int v = 0; v < Vectors; ++v) {
      const Tail lanes = v + 1 < Vectors ? all : tail;
      float* to = partial + t * channels + v * kLanes;
      vec_store(to, vec_add(vec_load(to, lanes), sum[t][v]), lanes);
    }
  }
}

template <int TapCount>
inline void add_row(const float* x, int64_t pixel_pitch, int64_t tap_pitch, const float* dy, int64_t columns,
                    int64_t channels, float* partial) {
  if (columns <= 0) return;
  int64_t c = 0;
  for (; c + kPanel <= channels; c += kPanel) {
    add_taps<TapCount, 2>(x + c, pixel_pitch, tap_pitch, dy + c, columns, channels, vec_tail(kLanes), partial + c);
  }
  for (; c < channels; c += kLanes) {
    add_taps<TapCount, 1>(x + c, pixel_pitch, tap_pitch, dy + c, columns, channels, vec_tail(channels - c),
                          partial + c);
  }
}

// One row of dy with one row of the image, for the taps of one window row.
void add_window_row(const DepthwiseWeight& p, const float* image_row, const float* dy, float* partial) {
  const Window& w = p.window;
  const int64_t channels = p.source.channels;
  const auto add = [&](int64_t tap, int64_t taps, int64_t begin, int64_t end) {
    const float* x = image_row + (begin * w.step_x - w.left + tap * w.dilation_x) * channels;
    const auto run = taps == 3 ? add_row<3> : taps == 2 ? add_row<2> : add_row<1>;
    run(x, w.step_x * channels, w.dilation_x * channels, dy + begin * channels, end - begin, channels,
        partial + tap * channels);
  };
  for (int64_t tap = 0; tap < w.window_x;) {
    const int64_t taps = min64(3, w.window_x - tap);
    // Pixels for which the first and the last of these taps lie inside, then those where some do.
    const auto pixels = [&](int64_t t) {
      const int64_t start = w.left - t * w.dilation_x;
      const int64_t begin = min64(p.columns, ceil_div(max64(0, start), w.step_x));
      return Taps{begin, max64(begin, min64(p.columns, ceil_div(max64(0, p.source.width + start), w.step_x)))};
    };
    const Taps first = pixels(tap), last = pixels(tap + taps - 1);
    const int64_t begin = first.begin, end = max64(begin, last.end);
    add(tap, taps, begin, end);
    for (int64_t t = tap; t < tap + taps; ++t) {
      const Taps own = pixels(t);
      add(t, 1, own.begin, min64(own.end, begin));
      add(t, 1, max64(own.begin, end), own.end);
    }
    tap += taps;
  }
}

void run_depthwise_weight(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<DepthwiseWeight>(prepared);
  const Window& w = p.window;
  const auto* x = input_data<float>(prepared, context, 0);
  const auto* dy = input_data<float>(prepared, context, 1);
  auto* dw = output_data<float>(prepared, context, 0);
  auto* partials = static_cast<float*>(context.scratch);
  const int64_t channels = p.source.channels, taps = w.window_y * w.window_x;
  parallel(context, p.chunks.count, [&](int64_t chunk) {
    float* partial = partials + chunk * p.partial_size;
    clear(partial, p.partial_size);
    for (int64_t row = p.chunks.begin(chunk); row < p.chunks.end(chunk); ++row) {
      const int64_t y = row % p.rows * w.step_y - w.top;
      const Taps down = taps_inside(y, w.window_y, w.dilation_y, p.source.height);
      for (int64_t ky = down.begin; ky < down.end; ++ky) {
        const int64_t image_row = row / p.rows * p.source.height + y + ky * w.dilation_y;
        add_window_row(p, x + image_row * p.source.width * channels, dy + row * p.columns * channels,
                       partial + ky * w.window_x * channels);
      }
    }
  });
  const Chunks blocks = plan_chunks(channels, 1 + 16384 / (taps * max64(1, p.chunks.count)));
  parallel(context, blocks.count, [&](int64_t block) {
    for (int64_t c = blocks.begin(block); c < blocks.end(block); ++c) {
      for (int64_t t = 0; t < taps; ++t) {
        float sum = 0;
        for (int64_t chunk = 0; chunk < p.chunks.count; ++chunk)
          sum += partials[chunk * p.partial_size + t * channels + c];
        dw[c * taps + t] = sum;
      }
    }
  });
}

}  // namespace

PolluxResult prepare_depthwise(const PolluxStep& step, Prepared* prepared) {
  auto* p = make_parameters<Depthwise>(prepared);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  const int64_t *w = input(step, 1).shape, *y = output(step, 0).shape;
  const Geometry geometry = p->geometry = read_geometry(step);
  p->step_y = p->step_x = 1;
  p->has_bias = step.input_count > 2;
  p->relu = strcmp(text(step, "activation", "none"), "relu") == 0;
  p->phase_count = 1;
  Phase& phase = p->phases[0];
  phase.window = {w[1],
                  w[2],
                  geometry.stride[0],
                  geometry.stride[1],
                  geometry.padding[0],
                  geometry.padding[2],
                  geometry.dilation[0],
                  geometry.dilation[1]};
  phase.rows = y[1];
  phase.columns = y[2];
  return finish(step, *p, prepared);
}

PolluxResult prepare_depthwise_grad_input(const PolluxStep& step, Prepared* prepared) {
  const Geometry geometry = read_geometry(step);
  const int64_t phases = geometry.stride[0] * geometry.stride[1];
  auto* p = make_parameters<Depthwise>(prepared, static_cast<size_t>(phases - 1) * sizeof(Phase));
  if (!p) return POLLUX_OUT_OF_MEMORY;
  p->geometry = geometry;
  p->step_y = geometry.stride[0];
  p->step_x = geometry.stride[1];
  p->transposed = true;
  p->phase_count = make_phases(geometry, output(step, 0).shape, input(step, 1).shape + 1,
                               element_count(input(step, 0)) == 0, p->phases);
  return finish(step, *p, prepared);
}

PolluxResult prepare_depthwise_grad_weight(const PolluxStep& step, Prepared* prepared) {
  auto* p = make_parameters<DepthwiseWeight>(prepared);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  const int64_t *x = input(step, 0).shape, *dy = input(step, 1).shape, *dw = output(step, 0).shape;
  if (element_count(output(step, 0)) == 0) {
    prepared->run = run_nothing;
    return POLLUX_SUCCESS;
  }
  const Geometry g = read_geometry(step);
  p->source = {x[1], x[2], x[3]};
  p->window = {dw[1], dw[2], g.stride[0], g.stride[1], g.padding[0], g.padding[2], g.dilation[0], g.dilation[1]};
  p->rows = dy[1];
  p->columns = dy[2];
  p->partial_size = round_up(dw[1] * dw[2] * x[3], 16);
  const double work = 8.0 * static_cast<double>(p->partial_size) * static_cast<double>(max64(1, dy[2]));
  p->chunks = plan_rows(dy[2] == 0 ? 0 : x[0] * dy[1], work, 32);
  prepared->scratch_bytes = 4 * static_cast<uint64_t>(p->partial_size * p->chunks.count);
  prepared->run = run_depthwise_weight;
  return POLLUX_SUCCESS;
}

}  // namespace pollux::POLLUX_LEVEL
