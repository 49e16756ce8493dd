// Sorts, running results, searches and scatters against plain loops: rows that are short, odd, and cut into segments.
#include <algorithm>
#include <limits>
#include <numeric>

#include "check.h"

using namespace check;

static const std::vector<int32_t> computed = {POLLUX_FLOAT32, POLLUX_INT32, POLLUX_INT64};

// Few different values, so that there are ties; floats also have NaN, infinities and both zeros.
static void few(Array& x, Random& random, int64_t kinds) {
  const bool floats = x.operand().dtype == POLLUX_FLOAT32;
  x.fill([&](int64_t) {
    const int64_t kind = random.below(kinds);
    if (floats && kind == 0) return std::numeric_limits<double>::quiet_NaN();
    if (floats && kind == 1) return random.below(2) ? 0.0 : -0.0;
    if (floats && kind == 2) return random.below(2) ? HUGE_VAL : -HUGE_VAL;
    return double(kind - kinds / 2);
  });
}

static bool less(double a, double b) {
  return a < b || (std::isnan(b) && !std::isnan(a));
}

static void sorts(int32_t dtype, int64_t rows, int64_t length, int64_t kept, bool descending, bool top, int64_t kinds) {
  Random random;
  Array x(dtype, {rows, length}), y(dtype, {rows, kept}), places(POLLUX_INT32, {rows, kept});
  few(x, random, kinds);
  const PolluxStatus status =
      top ? run({"topK", {&x}, {&y, &places}, {{"k", double(kept)}, {"largest", double(descending)}}})
          : run({"sort", {&x}, {&y, &places}, {{"descending", double(descending)}}});
  CHECK(status.code == POLLUX_OK);
  int64_t wrong = 0;
  for (int64_t r = 0; r < rows; ++r) {
    std::vector<int64_t> order(static_cast<size_t>(length));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) {
      const double a = x.get(r * length + i), b = x.get(r * length + j);
      return descending ? less(b, a) : less(a, b);
    });
    for (int64_t i = 0; i < kept; ++i) {
      const int64_t e = r * kept + i, place = order[size_t(i)];
      const double value = x.get(r * length + place);
      wrong += places.get_integer(e) != place;
      wrong += memcmp(&value, std::vector<double>{y.get(e)}.data(), sizeof value) != 0 && !std::isnan(value);
    }
  }
  CHECK_TEXT(wrong == 0, std::to_string(wrong) + " elements of rows of " + std::to_string(length) + " are wrong");
}

TEST(ordering_sorts_rows_of_any_length) {
  for (int32_t dtype : computed)
    for (bool descending : {false, true})
      for (int64_t length : {0, 1, 2, 47, 48, 49, 50, 300, 2049})
        for (int64_t kinds : {4, 100000}) sorts(dtype, 5, length, length, descending, false, kinds);
}

TEST(ordering_sorts_long_rows_by_pieces) {
  for (int32_t dtype : computed)
    for (int64_t length : {65535, 65536, 100003}) sorts(dtype, 2, length, length, false, false, 1 << 22);
  sorts(POLLUX_FLOAT32, 1, 70001, 70001, true, false, 9);
}

TEST(ordering_takes_the_first_of_a_row) {
  for (int32_t dtype : computed)
    for (bool largest : {false, true}) {
      for (int64_t kept : {0, 1, 2, 37}) sorts(dtype, 7, 299, kept, largest, true, 11);
      sorts(dtype, 3, 9001, 1000, largest, true, 1 << 20);
      sorts(dtype, 2, 70001, 9000, largest, true, 1 << 20);
      sorts(dtype, 3, 5, 5, largest, true, 3);
    }
}

// Calls visit(element, its index along the axis) along each line.
static void each_line(const std::vector<int64_t>& shape, size_t axis, bool reverse,
                      const std::function<void(bool first, int64_t element, int64_t index)>& visit) {
  int64_t outer = 1, inner = 1;
  for (size_t i = 0; i < shape.size(); ++i) (i < axis ? outer : inner) *= i == axis ? 1 : shape[i];
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t k = 0; k < inner; ++k)
      for (int64_t step = 0; step < shape[axis]; ++step) {
        const int64_t i = reverse ? shape[axis] - 1 - step : step;
        visit(step == 0, (o * shape[axis] + i) * inner + k, i);
      }
}

struct Line {
  std::vector<int64_t> shape;
  size_t axis;
};
static const std::vector<Line> lines = {{{7}, 0},      {{0}, 0},         {{5, 0}, 1},
                                        {{5, 131}, 0}, {{5, 131}, 1},    {{3, 40, 257}, 1},
                                        {{200000}, 0}, {{3, 140001}, 1}, {{131071}, 0}};

TEST(ordering_running_sums_and_products) {
  Random random;
  for (int32_t dtype : computed)
    for (const Line& line : lines)
      for (int way = 0; way < 4; ++way) {
        const bool reverse = way & 1, exclusive = way & 2, floats = dtype == POLLUX_FLOAT32;
        Array x(dtype, line.shape), sum(dtype, line.shape), product(dtype, line.shape);
        x.fill([&](int64_t) { return floats ? random.uniform(0.99, 1.01) : double(random.below(9) - 4); });
        const std::vector<Attribute> attributes = {
            {"axis", double(line.axis)}, {"reverse", double(reverse)}, {"exclusive", double(exclusive)}};
        run({"cumulativeSum", {&x}, {&sum}, attributes});
        run({"cumulativeProduct", {&x}, {&product}, attributes});
        double total = 0, times = 1, worst = 0;
        int64_t whole = 0, wrong = 0;
        each_line(line.shape, line.axis, reverse, [&](bool first, int64_t e, int64_t) {
          if (first) total = 0, times = 1, whole = 0;
          const double before = total, factor = times;
          total += x.get(e), times *= x.get(e);
          const int64_t earlier = whole;
          if (!floats) whole += x.get_integer(e);
          if (!floats) {
            wrong += sum.get_integer(e) != (exclusive ? earlier : whole);
            return;
          }
          const double s = exclusive ? before : total, p = exclusive ? factor : times;
          worst = std::max({worst, std::fabs(sum.get(e) - s) / (1 + std::fabs(s)), std::fabs(product.get(e) / p - 1)});
        });
        CHECK(wrong == 0);
        CHECK_TEXT(worst < 1.2e-7, "off by " + std::to_string(worst));
      }
}

TEST(ordering_running_extremes) {
  Random random;
  for (int32_t dtype : computed)
    for (const Line& line : lines)
      for (bool reverse : {false, true})
        for (bool largest : {false, true}) {
          Array x(dtype, line.shape), y(dtype, line.shape), places(POLLUX_INT32, line.shape);
          few(x, random, 1 << 20);
          run({largest ? "cumulativeMax" : "cumulativeMin",
               {&x},
               {&y, &places},
               {{"axis", double(line.axis)}, {"reverse", double(reverse)}}});
          double best = 0;
          int64_t place = 0, wrong = 0;
          each_line(line.shape, line.axis, reverse, [&](bool first, int64_t e, int64_t i) {
            const double a = x.get(e);
            if (first || std::isnan(a) || (!std::isnan(best) && (largest ? a >= best : a <= best))) best = a, place = i;
            wrong +=
                places.get_integer(e) != place || !(y.get(e) == best || (std::isnan(best) && std::isnan(y.get(e))));
          });
          CHECK(wrong == 0);
        }
}

TEST(ordering_recurrences) {
  Random random;
  for (const Line& line : lines)
    for (bool reverse : {false, true}) {
      Array a(POLLUX_FLOAT32, line.shape), b(POLLUX_FLOAT32, line.shape), y(POLLUX_FLOAT32, line.shape);
      a.randomize(random, -1.1, 1.1);
      b.randomize(random);
      run({"linearRecurrence", {&a, &b}, {&y}, {{"axis", double(line.axis)}, {"reverse", double(reverse)}}});
      double state = 0, worst = 0;
      each_line(line.shape, line.axis, reverse, [&](bool first, int64_t e, int64_t) {
        state = (first ? 0 : state) * a.get(e) + b.get(e);
        worst = std::max(worst, std::fabs(y.get(e) - state) / (1 + std::fabs(state)));
      });
      CHECK_TEXT(worst < 1.2e-7, "off by " + std::to_string(worst));
    }
}

TEST(ordering_a_recurrence_that_would_overflow_from_nothing) {
  const int64_t n = 200000;
  Array a(POLLUX_FLOAT32, {n}), b(POLLUX_FLOAT32, {n}), y(POLLUX_FLOAT32, {n});
  a.fill([](int64_t) { return 2; });
  b.fill([](int64_t) { return 0; });
  run({"linearRecurrence", {&a, &b}, {&y}, {{"axis", 0.0}, {"reverse", 0.0}}});
  CHECK(y.get(n - 1) == 0);
}

TEST(ordering_searches) {
  Random random;
  for (int32_t dtype : computed)
    for (bool right : {false, true})
      for (int64_t length : {0, 1, 2, 7, 64, 1000}) {
        Array sorted(dtype, {3, length}), values(dtype, {3, 701}), places(POLLUX_INT32, {3, 701});
        for (int64_t r = 0; r < 3; ++r) {
          std::vector<double> row;
          for (int64_t i = 0; i < length; ++i) row.push_back(double(random.below(50)));
          std::sort(row.begin(), row.end());
          for (int64_t i = 0; i < length; ++i) sorted.set(r * length + i, row[size_t(i)]);
        }
        few(values, random, 60);
        run({"searchSorted", {&sorted, &values}, {&places}, {{"right", double(right)}}});
        int64_t wrong = 0;
        for (int64_t e = 0; e < values.count(); ++e) {
          int64_t before = 0;
          for (int64_t i = 0; i < length; ++i) {
            const double s = sorted.get(e / 701 * length + i), v = values.get(e);
            before += right ? !less(v, s) : less(s, v);
          }
          wrong += places.get_integer(e) != before;
        }
        CHECK(wrong == 0);
      }
}

TEST(ordering_scatters_of_all_dtypes) {
  Random random;
  for (int32_t dtype = 0; dtype < POLLUX_DTYPE_COUNT; ++dtype)
    for (const char* rule : {"set", "maximum", "minimum"}) {
      const bool sets = strcmp(rule, "set") == 0, largest = strcmp(rule, "maximum") == 0;
      if (!sets && std::find(computed.begin(), computed.end(), dtype) == computed.end()) continue;
      Array x(dtype, {3, 11, 5}), updates(dtype, {3, 40, 5}), places(POLLUX_INT64, {3, 40, 5}), y(dtype, {3, 11, 5});
      x.fill([](int64_t i) { return double(i * 7 % 5 % 2); });
      updates.fill([](int64_t i) { return double(i * 11 % 7 % 2); });
      places.fill([&](int64_t) { return double(random.below(22) - 11); });
      run({"scatterReduce", {&x, &places, &updates}, {&y}, {{"axis", 1.0}, {"rule", rule}}});
      std::vector<double> expected = x.values();
      for (int64_t e = 0; e < updates.count(); ++e) {
        double& to = expected[size_t((e / 200 * 11 + (places.get_integer(e) + 11) % 11) * 5 + e % 5)];
        const double update = updates.get(e);
        to = sets ? update : largest ? std::max(to, update) : std::min(to, update);
      }
      COMPARE(y, expected, 0, 0);
    }
}

TEST(ordering_a_scatter_names_the_first_index_outside) {
  Array x(POLLUX_FLOAT32, {4}), updates(POLLUX_FLOAT32, {3}), places(POLLUX_INT32, {3}), y(POLLUX_FLOAT32, {4});
  x.fill([](int64_t i) { return double(i); });
  updates.fill([](int64_t) { return 9; });
  places.fill([](int64_t i) { return i == 0 ? 2 : i == 1 ? 4 : -5; });
  const PolluxStatus status = run({"scatterReduce", {&x, &places, &updates}, {&y}, {{"axis", 0.0}, {"rule", "set"}}});
  CHECK(status.code == POLLUX_INDEX_OUT_OF_RANGE && status.element == 1 && status.detail == 4);
}
