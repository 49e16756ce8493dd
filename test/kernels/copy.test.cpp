// copy against element-by-element reading, over layouts and dtypes.
#include "check.h"

using namespace check;

static void copies(Array& from, Array& to) {
  Random random;
  const int32_t dtype = from.operand().dtype;
  for (int64_t i = 0; i < from.count(); ++i)
    from.set(i, dtype == POLLUX_BOOL    ? double(random.below(2))
                : dtype == POLLUX_UINT8 ? double(random.below(256))
                                        : double(random.below(255) - 127));
  run({"copy", {&from}, {&to}});
  COMPARE(to, from.values(), 0, 0);
}

TEST(copy_of_all_dtypes_and_layouts) {
  for (int32_t dtype = 0; dtype < POLLUX_DTYPE_COUNT; ++dtype) {
    for (std::vector<int64_t> shape : std::vector<std::vector<int64_t>>{
             {0}, {1}, {}, {7}, {3, 0, 2}, {5, 7}, {33, 65}, {3, 37, 41}, {100, 1, 1000}}) {
      const int rank = int(shape.size());
      std::vector<int> reversed;
      for (int i = rank - 1; i >= 0; --i) reversed.push_back(i);
      Array to(dtype, shape), plain(dtype, shape), turned(dtype, shape, reversed), gaps(dtype, shape, {}, 3);
      copies(plain, to);
      copies(turned, to);
      copies(gaps, to);
      Array odd(dtype, shape, {}, 2);
      copies(plain, odd);
      Array turned_output(dtype, shape, reversed);
      copies(plain, turned_output);
      copies(turned, turned_output);
      if (rank > 0) {
        Array flipped(dtype, shape, {}, 1, {rank - 1});
        copies(flipped, to);
        Array row = Array::broadcast(dtype, shape, {0});
        copies(row, to);
        Array column = Array::broadcast(dtype, shape, {rank - 1});
        copies(column, to);
        Array both(dtype, shape, reversed, 2, {0});
        copies(both, to);
      }
    }
  }
}

TEST(copy_of_a_batch_of_transposed_matrices) {
  Array from(POLLUX_FLOAT32, {5, 130, 67}, {0, 2, 1}), to(POLLUX_FLOAT32, {5, 130, 67});
  copies(from, to);
  Array heads(POLLUX_FLOAT32, {4, 6, 50, 64}, {0, 2, 1, 3}), packed(POLLUX_FLOAT32, {4, 6, 50, 64});
  copies(heads, packed);
}

TEST(bench_copy) {
  const int64_t n = 4096;
  Array from(POLLUX_FLOAT32, {n, n}), to(POLLUX_FLOAT32, {n, n}), turned(POLLUX_FLOAT32, {n, n}, {1, 0});
  Runner plain({"copy", {&from}, {&to}}), transposing({"copy", {&turned}, {&to}});
  const double bytes = 8.0 * double(n * n);
  std::memset(from.data(), 0, size_t(n * n * 4));
  std::memset(turned.data(), 0, size_t(n * n * 4));
  const double raw = fastest([&] { std::memcpy(to.data(), from.data(), size_t(n * n * 4)); });
  std::printf("memcpy %.1f GB/s, copy %.1f, transposing %.1f\n", bytes / raw / 1e9,
              bytes / fastest([&] { plain(); }) / 1e9, bytes / fastest([&] { transposing(); }) / 1e9);
}
