// gather, scatter, windows and sources against index arithmetic, for all dtypes.
#include <cstring>
#include <tuple>

#include "check.h"

using namespace check;

static const std::vector<int32_t> every = {POLLUX_FLOAT32, POLLUX_BFLOAT16, POLLUX_FLOAT16, POLLUX_INT8,
                                           POLLUX_UINT8,   POLLUX_INT32,    POLLUX_INT64,   POLLUX_BOOL};

static int64_t product(const std::vector<int64_t>& shape, size_t from, size_t to) {
  int64_t count = 1;
  for (size_t i = from; i < to; ++i) count *= shape[i];
  return count;
}

static void number(Array& x) {
  x.fill([&](int64_t i) { return double(x.operand().dtype == POLLUX_BOOL ? i * 7 % 3 % 2 : i * 31 % 101); });
}

struct Shape {
  std::vector<int64_t> x;
  std::vector<int64_t> indices;
  size_t axis;
};

static const std::vector<Shape> shapes = {
    {{7}, {5}, 0},    {{7}, {}, 0},        {{5, 3}, {2, 4}, 0},   {{5, 3}, {9}, 1},         {{4, 6, 5}, {3, 1}, 1},
    {{0, 3}, {0}, 0}, {{3, 5, 0}, {2}, 1}, {{300, 64}, {777}, 0}, {{2, 50, 130}, {600}, 1}, {{40000}, {70000}, 0}};

static std::vector<int64_t> gathered(const Shape& s) {
  std::vector<int64_t> shape(s.x.begin(), s.x.begin() + long(s.axis));
  shape.insert(shape.end(), s.indices.begin(), s.indices.end());
  shape.insert(shape.end(), s.x.begin() + long(s.axis) + 1, s.x.end());
  return shape;
}

static void draw_indices(Array& indices, int64_t size, Random& random) {
  for (int64_t i = 0; i < indices.count(); ++i)
    indices.set_integer(i, random.below(2 * size) - size);  // negative ones count from the end
}

TEST(gather_of_all_dtypes) {
  Random random;
  for (int32_t dtype : every) {
    for (int32_t index : {POLLUX_INT32, POLLUX_INT64}) {
      for (const Shape& s : shapes) {
        Array x(dtype, s.x), indices(index, s.indices), y(dtype, gathered(s));
        number(x);
        const int64_t size = s.x[s.axis], inner = product(s.x, s.axis + 1, s.x.size()), n = indices.count();
        draw_indices(indices, size, random);
        const PolluxStatus status = run({"gather", {&x, &indices}, {&y}, {{"axis", double(s.axis)}}});
        CHECK(status.code == POLLUX_OK);
        std::vector<double> expected;
        for (int64_t e = 0; e < y.count(); ++e) {
          const int64_t k = e % inner, i = e / inner % n, outer = e / inner / n;
          const int64_t place = (indices.get_integer(i) + size) % size;
          expected.push_back(x.get((outer * size + place) * inner + k));
        }
        COMPARE(y, expected, 0, 0);
      }
    }
  }
}

TEST(gather_reports_the_first_bad_index) {
  Array x(POLLUX_FLOAT32, {5, 4000}), indices(POLLUX_INT32, {40}), y(POLLUX_FLOAT32, {40, 4000});
  number(x);
  indices.fill([](int64_t) { return 1; });
  indices.set_integer(33, 9);
  indices.set_integer(17, -6);
  const PolluxStatus status = run({"gather", {&x, &indices}, {&y}, {{"axis", 0.0}}});
  CHECK(status.code == POLLUX_INDEX_OUT_OF_RANGE && status.step == 7 && status.element == 17 && status.detail == -6);
  Array z(POLLUX_FLOAT32, {5, 4000}), updates(POLLUX_FLOAT32, {40, 4000});
  updates.fill([](int64_t) { return 1; });
  const PolluxStatus scattered = run({"scatterAdd", {&x, &indices, &updates}, {&z}, {{"axis", 0.0}}});
  CHECK(scattered.code == POLLUX_INDEX_OUT_OF_RANGE && scattered.element == 17 && scattered.detail == -6);
  Array along(POLLUX_INT64, {2, 4000}), taken(POLLUX_FLOAT32, {2, 4000});
  along.fill([](int64_t i) { return i == 4001 ? 5 : i == 7000 ? -9 : 0; });
  const PolluxStatus paired = run({"takeAlong", {&x, &along}, {&taken}, {{"axis", 0.0}}});
  CHECK(paired.code == POLLUX_INDEX_OUT_OF_RANGE && paired.element == 4001 && paired.detail == 5);
  Array nothing(POLLUX_FLOAT32, {0, 3}), one(POLLUX_INT32, {1}), row(POLLUX_FLOAT32, {1, 3});
  one.set_integer(0, 0);
  CHECK(run({"gather", {&nothing, &one}, {&row}, {{"axis", 0.0}}}).code == POLLUX_INDEX_OUT_OF_RANGE);
}

TEST(scatter_add_sums_in_order) {
  Random random;
  for (int32_t dtype : {POLLUX_FLOAT32, POLLUX_INT32, POLLUX_INT64}) {
    for (const Shape& s : shapes) {
      Array x(dtype, s.x), indices(POLLUX_INT64, s.indices), updates(dtype, gathered(s)), y(dtype, s.x);
      number(x);
      updates.fill([&](int64_t) { return dtype == POLLUX_FLOAT32 ? random.uniform() : double(random.below(100)); });
      const int64_t size = s.x[s.axis], inner = product(s.x, s.axis + 1, s.x.size()), n = indices.count();
      draw_indices(indices, size, random);
      run({"scatterAdd", {&x, &indices, &updates}, {&y}, {{"axis", double(s.axis)}}});
      std::vector<double> expected = x.values();
      for (int64_t e = 0; e < updates.count(); ++e) {
        const int64_t k = e % inner, i = e / inner % n, outer = e / inner / n;
        double& target = expected[size_t((outer * size + (indices.get_integer(i) + size) % size) * inner + k)];
        target = dtype == POLLUX_FLOAT32 ? double(float(target) + float(updates.get(e))) : target + updates.get(e);
      }
      COMPARE(y, expected, 0, 0);
      run({"scatterAdd", {&x, &indices, &updates}, {&x}, {{"axis", double(s.axis)}}});  // over its input
      COMPARE(x, expected, 0, 0);
    }
  }
}

TEST(take_and_scatter_along) {
  Random random;
  for (const auto& [shape, count, axis] :
       std::vector<std::tuple<std::vector<int64_t>, int64_t, size_t>>{{{5}, 3, 0},
                                                                      {{4, 7}, 7, 1},
                                                                      {{4, 7}, 1, 1},
                                                                      {{6, 3, 50}, 9, 0},
                                                                      {{3, 100, 70}, 60, 1},
                                                                      {{2, 0}, 0, 1},
                                                                      {{500, 10}, 1, 1}}) {
    std::vector<int64_t> paired = shape;
    paired[axis] = count;
    const int64_t size = shape[axis], inner = product(shape, axis + 1, shape.size());
    Array indices(POLLUX_INT32, paired);
    draw_indices(indices, size, random);
    const auto source = [&](int64_t e) {
      return (e / inner / count * size + (indices.get_integer(e) + size) % size) * inner + e % inner;
    };
    for (int32_t dtype : every) {
      Array x(dtype, shape), y(dtype, paired);
      number(x);
      run({"takeAlong", {&x, &indices}, {&y}, {{"axis", double(axis)}}});
      std::vector<double> expected;
      for (int64_t e = 0; e < y.count(); ++e) expected.push_back(x.get(source(e)));
      COMPARE(y, expected, 0, 0);
    }
    for (int32_t dtype : {POLLUX_FLOAT32, POLLUX_INT32, POLLUX_INT64}) {
      Array x(dtype, shape), updates(dtype, paired), y(dtype, shape);
      number(x);
      number(updates);
      run({"scatterAlong", {&x, &indices, &updates}, {&y}, {{"axis", double(axis)}}});
      std::vector<double> expected = x.values();
      for (int64_t e = 0; e < updates.count(); ++e) expected[size_t(source(e))] += updates.get(e);
      COMPARE(y, expected, 0, 0);
    }
  }
}

// ---- windows -----------------------------------------------------------------------------------------------------

// The row-major index in `around` of element e of a window of `shape` that begins at `start`.
static int64_t inside(int64_t e, const std::vector<int64_t>& shape, const std::vector<int64_t>& start,
                      const std::vector<int64_t>& around) {
  int64_t index = 0, scale = 1;
  for (int axis = int(shape.size()) - 1; axis >= 0; --axis) {
    index += (e % shape[size_t(axis)] + start[size_t(axis)]) * scale;
    e /= shape[size_t(axis)];
    scale *= around[size_t(axis)];
  }
  return index;
}

TEST(window_pad_concat_and_slices) {
  for (int32_t dtype : every) {
    for (const auto& shape :
         std::vector<std::vector<int64_t>>{{}, {5}, {0}, {3, 4}, {2, 3, 5}, {60, 7, 200}, {3, 0, 2}}) {
      const int rank = int(shape.size());
      std::vector<int> reversed;
      for (int i = rank - 1; i >= 0; --i) reversed.push_back(i);
      for (bool turned : {false, true}) {
        Array x(dtype, shape, turned ? reversed : std::vector<int>{}, 1);
        number(x);
        std::vector<int64_t> low, padded;
        std::vector<double> low_numbers, high_numbers;
        for (int axis = 0; axis < rank; ++axis) {
          low.push_back(axis % 3);
          padded.push_back(shape[size_t(axis)] + axis % 3 + (axis + 1) % 2);
          low_numbers.push_back(axis % 3), high_numbers.push_back((axis + 1) % 2);
        }
        Array y(dtype, padded);
        run({"pad", {&x}, {&y}, {{"low", low_numbers}, {"high", high_numbers}, {"value", 1.0}}});
        std::vector<double> expected(size_t(y.count()), 1.0);
        for (int64_t e = 0; e < x.count(); ++e) expected[size_t(inside(e, shape, low, padded))] = x.get(e);
        COMPARE(y, expected, 0, 0);

        // The window out of the padded value again; a start beyond the room is clamped.
        for (int32_t index : {POLLUX_INT32, POLLUX_INT64}) {
          if (!rank) break;
          Array start(index, {rank}), back(dtype, shape), updated(dtype, padded);
          for (int axis = 0; axis < rank; ++axis) start.set_integer(axis, low[size_t(axis)]);
          std::vector<double> size(shape.begin(), shape.end());
          run({"dynamicSlice", {&y, &start}, {&back}, {{"size", size}}});
          COMPARE(back, x.values(), 0, 0);
          std::vector<int64_t> clamped;
          for (int axis = 0; axis < rank; ++axis) {
            start.set_integer(axis, axis % 2 ? -5 : 1000);
            clamped.push_back(axis % 2 ? 0 : padded[size_t(axis)] - shape[size_t(axis)]);
          }
          run({"dynamicUpdateSlice", {&y, &x, &start}, {&updated}});
          std::vector<double> changed = y.values();
          for (int64_t e = 0; e < x.count(); ++e) changed[size_t(inside(e, shape, clamped, padded))] = x.get(e);
          COMPARE(updated, changed, 0, 0);
        }

        for (int axis = 0; axis < rank; ++axis) {
          std::vector<int64_t> other_shape = shape, joined = shape, origin(size_t(rank), 0), at(size_t(rank), 0);
          other_shape[size_t(axis)] = 2;
          joined[size_t(axis)] = 2 * shape[size_t(axis)] + 2;
          Array other(dtype, other_shape), all(dtype, joined);
          number(other);
          run({"concat", {&x, &other, &x}, {&all}, {{"axis", double(axis)}}});
          std::vector<double> whole(size_t(all.count()));
          for (int64_t e = 0; e < x.count(); ++e) whole[size_t(inside(e, shape, origin, joined))] = x.get(e);
          at[size_t(axis)] = shape[size_t(axis)];
          for (int64_t e = 0; e < other.count(); ++e) whole[size_t(inside(e, other_shape, at, joined))] = other.get(e);
          at[size_t(axis)] = shape[size_t(axis)] + 2;
          for (int64_t e = 0; e < x.count(); ++e) whole[size_t(inside(e, shape, at, joined))] = x.get(e);
          COMPARE(all, whole, 0, 0);
        }
      }
    }
  }
}

TEST(source_constant_and_iota) {
  for (int32_t dtype : every) {
    for (const auto& shape : std::vector<std::vector<int64_t>>{{}, {0}, {3}, {4, 5, 6}, {90, 2000}}) {
      Array y(dtype, shape);
      run({"constant", {}, {&y}, {{"value", 1.0}}});
      COMPARE(y, std::vector<double>(size_t(y.count()), 1.0), 0, 0);
      if (dtype != POLLUX_FLOAT32 && dtype != POLLUX_INT32 && dtype != POLLUX_INT64) continue;
      for (size_t axis = 0; axis < shape.size(); ++axis) {
        run({"iota", {}, {&y}, {{"axis", double(axis)}}});
        std::vector<double> expected;
        for (int64_t e = 0; e < y.count(); ++e)
          expected.push_back(double(e / product(shape, axis + 1, shape.size()) % shape[axis]));
        COMPARE(y, expected, 0, 0);
      }
    }
  }
}
