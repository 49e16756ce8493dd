// Group norm (Wu and He 2018) of x [samples, rows, channels], the channels being cut into groups, and its gradient.
// Each sample's channels are measured as batch norm's are; a group joins the moments of its channels.
#include "batchnorm_moments.h"
#include "norm_row.h"

namespace pollux::POLLUX_LEVEL {
namespace {

struct GroupNormParameters {
  WideView view;   // of one sample
  Chunks samples;  // handed out together
  int64_t groups;
  double epsilon;
  int64_t chunk_bytes;  // of scratch
};

/// The scratch memory of one chunk of samples.
struct Workspace {
  double* partial;  ///< two numbers a wide column
  double* first;    ///< a number a channel: means, or sums
  double* second;
  float* wide[4];  ///< wide rows of factors

  Workspace(const GroupNormParameters& p, const RunContext& context, int64_t offset, int64_t chunk) {
    partial = reinterpret_cast<double*>(static_cast<char*>(context.scratch) + offset + chunk * p.chunk_bytes);
    first = partial + 2 * p.view.columns;
    second = first + p.view.channels;
    wide[0] = reinterpret_cast<float*>(second + p.view.channels);
    for (int i = 1; i < 4; ++i) wide[i] = wide[i - 1] + p.view.columns;
  }
};

/// Calls body(first element, columns) for each wide row of a sample.
template <typename Body>
inline void for_each_row(const WideView& view, const Body& body) {
  const int64_t elements = view.rows * view.channels;
  for (int64_t at = 0; at < elements; at += view.columns) body(at, min64(view.columns, elements - at));
}

void normalise_sample(const GroupNormParameters& p, const Workspace& work, const float* x, const float* scale,
                      const float* shift, float* y, float* mean, float* rstd) {
  const WideView& view = p.view;
  const int64_t width = view.channels / p.groups;
  const double rows = static_cast<double>(view.rows);
  if (view.chunks.count) chunk_moments(view, x, 0, view.wide_rows, work.partial, work.partial + view.columns);
  fold_moments(view, x, work.partial, work.first, work.second);
  float *wide_mean = work.wide[0], *wide_factor = work.wide[1], *wide_shift = work.wide[2];
  for (int64_t g = 0; g < p.groups; ++g) {
    double centre = 0, squares = 0;
    for (int64_t k = 0; k < width; ++k)
      merge(static_cast<double>(k) * rows, centre, squares, rows, work.first[g * width + k],
            work.second[g * width + k]);
    const double inverse = 1 / ::sqrt(squares / (rows * static_cast<double>(width)) + p.epsilon);
    mean[g] = static_cast<float>(centre);
    rstd[g] = static_cast<float>(inverse);
    for (int64_t c = g * width; c < (g + 1) * width; ++c) {
      const double factor = inverse * (scale ? scale[c] : 1.0f);
      wide_mean[c] = mean[g];
      wide_factor[c] = static_cast<float>(factor);
      // What the rounding of the mean lost goes into the shift: it matters where the mean is far from zero.
      wide_shift[c] = static_cast<float>((shift ? shift[c] : 0.0f) - (centre - mean[g]) * factor);
    }
  }
  for (int i = 0; i < 3; ++i) widen(view, work.wide[i]);
  for_each_row(view, [&](int64_t first, int64_t columns) {
    for_each_vector(columns, [=](int64_t j, int n) {
      const Floats centred = load_some(x + first + j, n) - load_some(wide_mean + j, n);
      store_some(y + first + j, centred * load_some(wide_factor + j, n) + load_some(wide_shift + j, n), n);
    });
  });
}

void run_forward(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<GroupNormParameters>(prepared);
  const int weights = prepared.step->input_count - 1;
  const float* x = input_data<float>(prepared, context, 0);
  const float* scale = weights > 0 ? input_data<float>(prepared, context, 1) : nullptr;
  const float* shift = weights > 1 ? input_data<float>(prepared, context, 2) : nullptr;
  float* y = output_data<float>(prepared, context, 0);
  float* mean = output_data<float>(prepared, context, 1);
  float* rstd = output_data<float>(prepared, context, 2);
  const int64_t size = p.view.rows * p.view.channels;
  parallel(context, p.samples.count, [&](int64_t chunk) {
    const Workspace work(p, context, 0, chunk);
    for (int64_t n = p.samples.begin(chunk); n < p.samples.end(chunk); ++n)
      normalise_sample(p, work, x + n * size, scale, shift, y + n * size, mean + n * p.groups, rstd + n * p.groups);
  });
}

/// With g = dy * scale, xhat = (x - mean) * rstd and means over a group: dx = rstd * (g - mean(g) - xhat * mean(g *
/// xhat)); dscale = sum(dy * xhat) and dshift = sum(dy) over samples and rows.
void run_gradient(const Prepared& prepared, const RunContext& context) {
  const auto& p = parameters<GroupNormParameters>(prepared);
  const WideView& view = p.view;
  const bool affine = prepared.step->input_count > 4;
  const float* dy = input_data<float>(prepared, context, 0);
  const float* x = input_data<float>(prepared, context, 1);
  const float* mean = input_data<float>(prepared, context, 2);
  const float* rstd = input_data<float>(prepared, context, 3);
  const float* scale = affine ? input_data<float>(prepared, context, 4) : nullptr;
  float* dx = output_data<float>(prepared, context, 0);
  const int64_t size = view.rows * view.channels, width = view.channels / p.groups;
  const int64_t sums = p.samples.count * 2;  // of each chunk: dscale, dshift
  const int64_t offset = round_up(sums * column_sums_bytes(view.channels), 64);
  parallel(context, p.samples.count, [&](int64_t chunk) {
    const Workspace work(p, context, offset, chunk);
    const ColumnSums scales = column_sums(context, view.channels, chunk * 2, sums);
    const ColumnSums shifts = column_sums(context, view.channels, chunk * 2 + 1, sums);
    scales.clear();
    shifts.clear();
    float *wide_mean = work.wide[0], *wide_factor = work.wide[1], *wide_constant = work.wide[2],
          *wide_slope = work.wide[3];
    for (int64_t n = p.samples.begin(chunk); n < p.samples.end(chunk); ++n) {
      const float* slopes = dy + n * size;
      const float* from = x + n * size;
      for (int64_t c = 0; c < view.channels; ++c) wide_mean[c] = mean[n * p.groups + c / width];
      widen(view, wide_mean);
      if (view.chunks.count)
        chunk_products(view, slopes, from, wide_mean, 0, view.wide_rows, work.partial, work.partial + view.columns);
      fold_products(view, slopes, from, wide_mean, work.partial, work.first, work.second);
      const double share = 1 / static_cast<double>(max64(1, view.rows * width));
      for (int64_t g = 0; g < p.groups; ++g) {
        const double inverse = rstd[n * p.groups + g];
        double level = 0, inner = 0;
        for (int64_t c = g * width; c < (g + 1) * width; ++c) {
          const double factor = affine ? scale[c] : 1;
          level += factor * work.first[c];
          inner += factor * work.second[c];
          scales.total[c] += work.second[c] * inverse;
          shifts.total[c] += work.first[c];
        }
        for (int64_t c = g * width; c < (g + 1) * width; ++c) {
          wide_factor[c] = static_cast<float>(inverse * (affine ? scale[c] : 1));
          wide_constant[c] = static_cast<float>(inverse * level * share);
          wide_slope[c] = static_cast<float>(inverse * inverse * inverse * inner * share);
        }
      }
      for (int i = 1; i < 4; ++i) widen(view, work.wide[i]);
      float* to = dx + n * size;
      for_each_row(view, [&](int64_t first, int64_t columns) {
        for_each_vector(columns, [=](int64_t j, int count) {
          const Floats centred = load_some(from + first + j, count) - load_some(wide_mean + j, count);
          const Floats g = load_some(slopes + first + j, count) * load_some(wide_factor + j, count);
          store_some(to + first + j,
                     g - load_some(wide_constant + j, count) - centred * load_some(wide_slope + j, count), count);
        });
      });
    }
  });
  if (!affine) return;
  fold_columns(context, view.channels, 0, 2, sums, output_data<float>(prepared, context, 1));
  fold_columns(context, view.channels, 1, 2, sums, output_data<float>(prepared, context, 2));
}

template <int x_index, void (*run)(const Prepared&, const RunContext&)>
PolluxResult prepare_norm(const PolluxStep& step, Prepared* prepared) {
  auto* p = make_parameters<GroupNormParameters>(prepared);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  const PolluxOperand& x = input(step, x_index);
  p->view = wide_view(x.shape[1], x.shape[2]);
  p->view.chunks = plan_chunks(p->view.wide_rows, max64(1, p->view.wide_rows), 1);
  p->samples = plan_chunks(element_count(x) ? x.shape[0] : 0, ceil_div(1 << 14, max64(1, x.shape[1] * x.shape[2])));
  p->groups = integer(step, "groups", 1);
  p->epsilon = number(step, "epsilon");
  p->chunk_bytes = round_up((2 * p->view.columns + 2 * p->view.channels) * static_cast<int64_t>(sizeof(double)) +
                                4 * p->view.columns * static_cast<int64_t>(sizeof(float)),
                            64);
  const int64_t sums = x_index ? round_up(2 * p->samples.count * column_sums_bytes(p->view.channels), 64) : 0;
  prepared->scratch_bytes = static_cast<uint64_t>(sums + p->samples.count * p->chunk_bytes);
  prepared->run = run;
  return POLLUX_SUCCESS;
}

constexpr uint32_t float32 = dtype_bit(POLLUX_FLOAT32);
const Kernel kernels[] = {{{"groupNorm", float32, 0, nullptr}, prepare_norm<0, run_forward>},
                          {{"groupNormGrad", float32, 0, nullptr}, prepare_norm<1, run_gradient>}};

}  // namespace

extern const KernelTable groupnorm_kernels = {kernels, 2};

}  // namespace pollux::POLLUX_LEVEL
