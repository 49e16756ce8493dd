// unfold2d: x [N,H,W,C] -> y [N,OH*OW,kH*kW*C], the pixels under each window side by side (im2col); and its adjoint
// fold2d, which adds them up again (col2im). Places outside the image are zero, and dropped on the way back.
#include "../kernel.h"
#include "../simd.h"

namespace pollux {
namespace {

struct FoldAxis {
  int64_t size, windows;  ///< of the image; how many windows there are
  int64_t taps, stride, padding, dilation;

  int64_t place(int64_t window, int64_t tap) const { return window * stride - padding + tap * dilation; }
  /// The window whose place `tap` is this one of the image; -1 if there is none.
  int64_t window(int64_t place, int64_t tap) const {
    const int64_t reach = place + padding - tap * dilation;
    return reach >= 0 && reach % stride == 0 && reach / stride < windows ? reach / stride : -1;
  }
};

struct Fold {
  FoldAxis down, across;
  int64_t channels;
  Chunks chunks;  ///< of the rows that are written, of all images

  int64_t window_size() const { return down.taps * across.taps * channels; }
};

void run_unfold(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<Fold>(prepared);
  const float* x = input_data<float>(prepared, context, 0);
  float* y = output_data<float>(prepared, context, 0);
  const int64_t image_row = p.across.size * p.channels;
  const size_t bytes = static_cast<size_t>(p.channels) * sizeof(float);
  parallel(context, p.chunks.count, [&](int64_t chunk) {
    for (int64_t row = p.chunks.begin(chunk); row < p.chunks.end(chunk); ++row) {
      const float* image = x + row / p.down.windows * p.down.size * image_row;
      float* to = y + row * p.across.windows * p.window_size();
      for (int64_t column = 0; column < p.across.windows; ++column) {
        for (int64_t i = 0; i < p.down.taps; ++i) {
          const int64_t top = p.down.place(row % p.down.windows, i);
          for (int64_t j = 0; j < p.across.taps; ++j, to += p.channels) {
            const int64_t left = p.across.place(column, j);
            if (top < 0 || top >= p.down.size || left < 0 || left >= p.across.size) {
              memset(to, 0, bytes);
            } else {
              memcpy(to, image + top * image_row + left * p.channels, bytes);
            }
          }
        }
      }
    }
  });
}

void run_fold(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<Fold>(prepared);
  const float* y = input_data<float>(prepared, context, 0);
  float* x = output_data<float>(prepared, context, 0);
  parallel(context, p.chunks.count, [&](int64_t chunk) {
    for (int64_t row = p.chunks.begin(chunk); row < p.chunks.end(chunk); ++row) {
      const float* image = y + row / p.down.size * p.down.windows * p.across.windows * p.window_size();
      for (int64_t column = 0; column < p.across.size; ++column) {
        float* to = x + (row * p.across.size + column) * p.channels;
        for_each_vector(p.channels, [&](int64_t c, int n) {
          Floats sum = zero();
          for (int64_t i = 0; i < p.down.taps; ++i) {
            const int64_t above = p.down.window(row % p.down.size, i);
            if (above < 0) continue;
            for (int64_t j = 0; j < p.across.taps; ++j) {
              const int64_t before = p.across.window(column, j);
              if (before < 0) continue;
              const float* window = image + (above * p.across.windows + before) * p.window_size();
              sum = sum + load_some(window + (i * p.across.taps + j) * p.channels + c, n);
            }
          }
          store_some(to + c, sum, n);
        });
      }
    }
  });
}

PolluxResult prepare(const PolluxStep& step, const PolluxOperand& image, bool folds, Prepared* prepared) {
  auto* p = make_parameters<Fold>(prepared);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  int64_t window[2] = {1, 1}, stride[2] = {1, 1}, padding[4] = {}, dilation[2] = {1, 1};
  numbers(step, "window", window, 2);
  numbers(step, "stride", stride, 2);
  numbers(step, "padding", padding, 4);
  numbers(step, "dilation", dilation, 2);
  const auto axis = [&](int i) {
    const int64_t reach = (window[i] - 1) * dilation[i] + 1, size = image.shape[1 + i];
    const int64_t windows = (size + padding[2 * i] + padding[2 * i + 1] - reach) / stride[i] + 1;
    return FoldAxis{size, windows, window[i], stride[i], padding[2 * i], dilation[i]};
  };
  p->down = axis(0);
  p->across = axis(1);
  p->channels = image.shape[3];
  const int64_t rows = folds ? p->down.size : p->down.windows;
  const int64_t work = (folds ? p->across.size : p->across.windows) * p->window_size();
  p->chunks = plan_chunks(element_count(output(step, 0)) == 0 ? 0 : image.shape[0] * rows,
                          ceil_div(1 << 14, max64(1, work)), 128);
  prepared->run = folds ? run_fold : run_unfold;
  return POLLUX_SUCCESS;
}

PolluxResult prepare_unfold(const PolluxStep& step, Prepared* prepared) {
  return prepare(step, input(step, 0), false, prepared);
}

PolluxResult prepare_fold(const PolluxStep& step, Prepared* prepared) {
  return prepare(step, output(step, 0), true, prepared);
}

constexpr uint32_t float32 = dtype_bit(POLLUX_FLOAT32);
const Kernel kernels[] = {{{"unfold2d", float32, 0, nullptr}, prepare_unfold},
                          {{"fold2d", float32, 0, nullptr}, prepare_fold}};

}  // namespace

namespace POLLUX_LEVEL {
extern const KernelTable fold_kernels;
const KernelTable fold_kernels = {kernels, sizeof kernels / sizeof kernels[0]};
}  // namespace POLLUX_LEVEL
}  // namespace pollux
