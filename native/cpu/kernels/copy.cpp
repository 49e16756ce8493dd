// copy: materialises a view. Elements move by size alone, so every dtype is served.
#include "../elementwise.h"
#include "../layout.h"

namespace pollux::POLLUX_LEVEL {
namespace {

constexpr int64_t tile = 32;  // rows and columns of a transposing tile: 32 x 32 floats read and written stay in L1

struct Copy {
  Layout layout;
  int64_t bytes;  // of one element
  int row;        // axis along which the input is dense, or -1 to walk the innermost axis
  Chunks chunks;  // of elements (contiguous), rows of tiles (transposing) or rows (otherwise)
};

// The input is dense along axis `row`, the output along the innermost axis: square tiles use whole cache lines of both.
template <typename T>
void copy_tiles(const Copy& p, const T* from, T* to, int64_t begin, int64_t end) {
  const Layout& l = p.layout;
  const int inner = l.rank - 1;
  const int64_t columns = l.shape[inner], column_stride = l.stride[0][inner];
  const int64_t rows = l.shape[p.row], row_stride = l.stride[1][p.row];
  const int64_t row_tiles = ceil_div(rows, tile);
  Layout outer = l;
  outer.shape[p.row] = row_tiles;
  outer.stride[0][p.row] = tile * l.stride[0][p.row];
  outer.stride[1][p.row] = tile * row_stride;
  for (int64_t item = begin; item < end; ++item) {
    const Walk walk = start_walk(outer, inner, item);
    const int64_t height = min64(tile, rows - walk.index[p.row] * tile);
    for (int64_t c = 0; c < columns; c += tile) {
      const int64_t width = min64(tile, columns - c);
      const T* source = from + walk.offset[0] + c * column_stride;
      T* target = to + walk.offset[1] + c * l.stride[1][inner];
      for (int64_t r = 0; r < height; ++r)
        for (int64_t k = 0; k < width; ++k) target[r * row_stride + k] = source[k * column_stride + r];
    }
  }
}

template <typename T>
void run(const Prepared& prepared, const RunContext& context) {
  const Copy& p = parameters<Copy>(prepared);
  const T* from = input_data<T>(prepared, context, 0);
  T* to = output_data<T>(prepared, context, 0);
  parallel(context, p.chunks.count, [&](int64_t chunk) {
    const int64_t begin = p.chunks.begin(chunk), end = p.chunks.end(chunk);
    if (p.row == p.layout.rank)
      memmove(to + begin, from + begin, static_cast<size_t>(end - begin) * sizeof(T));
    else if (p.row >= 0)
      copy_tiles(p, from, to, begin, end);
    else
      copy_rows(p.layout, from, to, begin, end);
  });
}

}  // namespace

PolluxResult prepare_copy(const PolluxStep& step, Prepared* prepared) {
  Copy* p = make_parameters<Copy>(prepared);
  if (!p) return POLLUX_OUT_OF_MEMORY;
  const PolluxOperand* operands[] = {&input(step, 0), &output(step, 0)};
  p->layout = collapse(operands, 2, /*order_by=*/1);
  p->bytes = byte_size(input(step, 0).dtype);
  const Layout& l = p->layout;
  const int inner = l.rank - 1;
  const int64_t grain = max64(1, 65536 / p->bytes);  // 64 KiB
  p->row = -1;
  if (l.rank == 1 && l.stride[0][0] == 1 && l.stride[1][0] == 1) {
    p->row = l.rank;  // one run of memory
    p->chunks = plan_chunks(l.count, grain);
  } else {
    int64_t rows = l.count == 0 ? 0 : l.count / l.shape[inner], width = l.shape[inner];
    if (l.stride[1][inner] == 1 && l.stride[0][inner] != 1 && l.stride[0][inner] != 0)
      for (int axis = 0; axis < inner; ++axis)
        if (l.stride[0][axis] == 1 && l.shape[axis] > 1) p->row = axis;
    if (p->row >= 0 && l.count > 0) {
      rows = rows / l.shape[p->row] * ceil_div(l.shape[p->row], tile);
      width *= min64(tile, l.shape[p->row]);
    }
    p->chunks = plan_chunks(rows, ceil_div(grain, max64(1, width)));
  }
  prepared->run = p->bytes == 1   ? run<uint8_t>
                  : p->bytes == 2 ? run<uint16_t>
                  : p->bytes == 4 ? run<uint32_t>
                                  : run<uint64_t>;
  return POLLUX_SUCCESS;
}

namespace {
const Kernel kernels[] = {
    {{"copy", all_dtypes, POLLUX_STRIDED_INPUTS | POLLUX_STRIDED_OUTPUTS, nullptr}, prepare_copy}};
}

extern const KernelTable copy_kernels = {kernels, 1};

}  // namespace pollux::POLLUX_LEVEL
