// Elementwise programs against the C library in double precision, for every instruction and dtype.
#include <cfloat>
#include <cstdlib>
#include <limits>

#include "program.h"

using namespace check;

static const double infinity = std::numeric_limits<double>::infinity();
static const double nan_value = std::numeric_limits<double>::quiet_NaN();

// ---- accuracy of the functions -----------------------------------------------------------------------------------

struct Function {
  const char* op;
  double (*reference)(double);
  double ulps;
  double absolute = 0;  // where the function is a product with a denormal
};

static double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}
static double gelu(double x) {
  return 0.5 * x * std::erfc(-x * M_SQRT1_2);
}
static double gelu_tanh(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}
static double sign(double x) {
  return x > 0 ? 1 : x < 0 ? -1 : x;
}
static double softplus(double x) {
  return std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x)));
}

static const Function functions[] = {
    {"neg", [](double x) { return -x; }, 0},
    {"abs", [](double x) { return std::fabs(x); }, 0},
    {"sign", sign, 0},
    {"square", [](double x) { return x * x; }, 0.5},
    {"exp", [](double x) { return std::exp(x); }, 1.5},
    {"expm1", [](double x) { return std::expm1(x); }, 2},
    {"log", [](double x) { return std::log(x); }, 1.5},
    {"log1p", [](double x) { return std::log1p(x); }, 2},
    {"sqrt", [](double x) { return std::sqrt(x); }, 0.5},
    {"rsqrt", [](double x) { return 1 / std::sqrt(x); }, 1.5},
    {"reciprocal", [](double x) { return 1 / x; }, 0.5},
    {"sin", [](double x) { return std::sin(x); }, 1.5},
    {"cos", [](double x) { return std::cos(x); }, 1.5},
    {"tan", [](double x) { return std::tan(x); }, 3.5},  // a quotient of the two above, each with its error
    {"tanh", [](double x) { return std::tanh(x); }, 2.5},
    {"sigmoid", sigmoid, 2.5},
    {"erf", [](double x) { return std::erf(x); }, 2},
    {"floor", [](double x) { return std::floor(x); }, 0},
    {"ceil", [](double x) { return std::ceil(x); }, 0},
    {"round", [](double x) { return std::nearbyint(x); }, 0},
    {"relu", [](double x) { return x <= 0 ? 0 : x; }, 0},
    {"softplus", softplus, 2.5},
    {"silu", [](double x) { return std::isinf(x) && x < 0 ? NAN : x * sigmoid(x); }, 3, 1e-43},
};

// Numbers of every magnitude, the special ones, and dense stretches where functions change.
static std::vector<float> probes() {
  std::vector<float> list = {0.0f,      -0.0f,  1.0f,    -1.0f,    0.5f,    -0.5f,    2.5f,   -1.5f,   INFINITY,
                             -INFINITY, NAN,    FLT_MAX, -FLT_MAX, FLT_MIN, -FLT_MIN, 1e-45f, -1e-45f, 88.7f,
                             88.73f,    -87.5f, -103.9f, -104.5f,  -17.9f,  9.1f,     3.92f,  1e30f};
  Random random;
  for (int i = 0; i < 20000; ++i) {
    const uint32_t bits = uint32_t(random.next() >> 32);
    float x;
    std::memcpy(&x, &bits, 4);
    list.push_back(x);
  }
  for (int i = 0; i < 20000; ++i) list.push_back(float(random.uniform(-10, 10)));
  for (int i = 0; i < 20000; ++i) list.push_back(float(random.uniform(-110, 90)));
  for (int i = 0; i < 5000; ++i) list.push_back(float(random.uniform(0.9, 1.1)));
  return list;
}

static double ulp_of(double value) {
  int exponent;
  std::frexp(value, &exponent);
  return std::ldexp(1.0, std::max(exponent - 24, -149));
}

TEST(elementwise_accuracy_of_functions) {
  const std::vector<float> list = probes();
  Array x(POLLUX_FLOAT32, {int64_t(list.size())}), y(POLLUX_FLOAT32, {int64_t(list.size())});
  for (size_t i = 0; i < list.size(); ++i) x.set(int64_t(i), list[i]);
  for (const Function& function : functions) {
    program({&x}, {&y}, {instruction(function.op, POLLUX_FLOAT32, {0})}, {1});
    double worst = 0;
    float where = 0;
    for (size_t i = 0; i < list.size(); ++i) {
      const double exact = function.reference(list[i]);
      const double got = y.get(int64_t(i)), rounded = double(float(exact));
      double error = std::fmax(0, std::fabs(got - exact) - function.absolute) / ulp_of(exact);
      if (got == rounded || (std::isnan(got) && std::isnan(exact)))
        error = 0;
      else if (std::isnan(got) || std::isnan(exact))
        error = infinity;
      else if (std::isinf(got) && std::fabs(exact) > 3.4e38)
        error = 0;
      if (error > worst) worst = error, where = list[i];
    }
    if (std::getenv("POLLUX_SHOW_ULPS")) std::printf("%-10s %.2f ulp at %g\n", function.op, worst, double(where));
    char text[120];
    std::snprintf(text, sizeof text, "%s is %.2f ulp off at %.9g", function.op, worst, double(where));
    CHECK_TEXT(worst <= function.ulps + 1e-6, text);
  }
}

TEST(elementwise_accuracy_of_gelu) {
  Array x(POLLUX_FLOAT32, {20001}), y(POLLUX_FLOAT32, {20001});
  x.fill([](int64_t i) { return (double(i) - 10000) / 1000; });
  std::vector<double> exact, tanh_form;
  for (double v : x.values()) exact.push_back(gelu(v)), tanh_form.push_back(gelu_tanh(v));
  program({&x}, {&y}, {instruction("gelu", POLLUX_FLOAT32, {0})}, {1});
  COMPARE(y, exact, 4e-7, 4e-7);
  program({&x}, {&y}, {instruction("geluTanh", POLLUX_FLOAT32, {0})}, {1});
  COMPARE(y, tanh_form, 4e-7, 8e-7);
}

// ---- binary operations -------------------------------------------------------------------------------------------

static double remainder_of(double a, double b) {
  const double r = std::fmod(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
static double larger(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? nan_value : std::fmax(a, b);
}
static double smaller(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? nan_value : std::fmin(a, b);
}

TEST(elementwise_binary_of_floats) {
  struct {
    const char* op;
    double (*reference)(double, double);
    double relative;
  } list[] = {{"add", [](double a, double b) { return double(float(a) + float(b)); }, 0},
              {"sub", [](double a, double b) { return double(float(a) - float(b)); }, 0},
              {"mul", [](double a, double b) { return double(float(a) * float(b)); }, 0},
              {"div", [](double a, double b) { return double(float(a) / float(b)); }, 0},
              {"pow", [](double a, double b) { return double(float(std::pow(a, b))); }, 1.3e-7},
              {"maximum", larger, 0},
              {"minimum", smaller, 0},
              {"remainder", remainder_of, 1.2e-7},
              {"atan2", [](double a, double b) { return std::atan2(a, b); }, 1.3e-7}};
  const std::vector<double> special = {0,    -0.0,  1,        -1,        2,         -3,    0.5,
                                       7.25, -7.25, infinity, -infinity, nan_value, 1e-40, 3e38};
  const int64_t n = int64_t(special.size());
  Array a(POLLUX_FLOAT32, {n, n}), b(POLLUX_FLOAT32, {n, n}), y(POLLUX_FLOAT32, {n, n});
  a.fill([&](int64_t i) { return special[size_t(i / n)]; });
  b.fill([&](int64_t i) { return special[size_t(i % n)]; });
  for (const auto& entry : list) {
    program({&a, &b}, {&y}, {instruction(entry.op, POLLUX_FLOAT32, {0, 1})}, {2});
    std::vector<double> expected;
    for (int64_t i = 0; i < n * n; ++i) expected.push_back(entry.reference(a.get(i), b.get(i)));
    COMPARE(y, expected, entry.relative, 1.5e-45);
  }
}

template <typename T>
static void integers(int32_t dtype) {
  using Wide = __int128;
  const T low = std::numeric_limits<T>::min(), high = std::numeric_limits<T>::max();
  const std::vector<T> special = {0, 1, -1, 2, -2, 3, 7, -7, 10, 100, low, T(low + 1), high, 5};
  const int64_t n = int64_t(special.size());
  Array a(dtype, {n, n}), b(dtype, {n, n}), y(dtype, {n, n}), flag(POLLUX_BOOL, {n, n});
  for (int64_t i = 0; i < n * n; ++i)
    a.set_integer(i, special[size_t(i / n)]), b.set_integer(i, special[size_t(i % n)]);
  const auto check = [&](const char* op, auto reference) {
    program({&a, &b}, {&y}, {instruction(op, dtype, {0, 1})}, {2});
    int64_t wrong = 0;
    for (int64_t i = 0; i < n * n; ++i)
      wrong += y.get_integer(i) != int64_t(T(reference(Wide(a.get_integer(i)), Wide(b.get_integer(i)))));
    CHECK_TEXT(wrong == 0, op);
  };
  check("add", [](Wide p, Wide q) { return p + q; });
  check("sub", [](Wide p, Wide q) { return p - q; });
  check("mul", [](Wide p, Wide q) { return p * q; });
  check("div", [](Wide p, Wide q) { return q == 0 ? 0 : p / q; });
  check("remainder", [](Wide p, Wide q) { return q == 0 ? 0 : ((p % q) + q) % q; });
  check("maximum", [](Wide p, Wide q) { return p > q ? p : q; });
  check("minimum", [](Wide p, Wide q) { return p < q ? p : q; });
  check("pow", [](Wide p, Wide q) -> Wide {
    if (q < 0) return p == 1 ? 1 : p == -1 ? (q % 2 ? -1 : 1) : 0;
    T r = 1;
    for (T e = T(q), f = T(p); e; e = T(e >> 1), f = T(Wide(f) * f))
      if (e & 1) r = T(Wide(r) * f);
    return r;
  });
  const auto compared = [&](const char* op, auto reference) {
    program({&a, &b}, {&flag}, {instruction(op, POLLUX_BOOL, {0, 1})}, {2});
    int64_t wrong = 0;
    for (int64_t i = 0; i < n * n; ++i) wrong += flag.get_integer(i) != reference(a.get_integer(i), b.get_integer(i));
    CHECK_TEXT(wrong == 0, op);
  };
  compared("equal", [](int64_t p, int64_t q) { return p == q; });
  compared("notEqual", [](int64_t p, int64_t q) { return p != q; });
  compared("less", [](int64_t p, int64_t q) { return p < q; });
  compared("lessEqual", [](int64_t p, int64_t q) { return p <= q; });
  compared("greater", [](int64_t p, int64_t q) { return p > q; });
  compared("greaterEqual", [](int64_t p, int64_t q) { return p >= q; });
  const auto unary = [&](const char* op, auto reference) {
    program({&a}, {&y}, {instruction(op, dtype, {0})}, {1});
    int64_t wrong = 0;
    for (int64_t i = 0; i < n * n; ++i) wrong += y.get_integer(i) != int64_t(T(reference(Wide(a.get_integer(i)))));
    CHECK_TEXT(wrong == 0, op);
  };
  unary("neg", [](Wide p) { return -p; });
  unary("abs", [](Wide p) { return p < 0 ? -p : p; });
  unary("sign", [](Wide p) { return p > 0 ? 1 : p < 0 ? -1 : 0; });
  unary("square", [](Wide p) { return p * p; });
  unary("relu", [](Wide p) { return p > 0 ? p : 0; });
  unary("floor", [](Wide p) { return p; });
}

TEST(elementwise_of_int32) {
  integers<int32_t>(POLLUX_INT32);
}
TEST(elementwise_of_int64) {
  integers<int64_t>(POLLUX_INT64);
}

TEST(elementwise_comparisons_and_logic) {
  const std::vector<double> special = {0, -0.0, 1, -1, infinity, -infinity, nan_value};
  const int64_t n = int64_t(special.size());
  Array a(POLLUX_FLOAT32, {n, n}), b(POLLUX_FLOAT32, {n, n}), y(POLLUX_BOOL, {n, n}), p(POLLUX_BOOL, {n, n}),
      q(POLLUX_BOOL, {n, n});
  a.fill([&](int64_t i) { return special[size_t(i / n)]; });
  b.fill([&](int64_t i) { return special[size_t(i % n)]; });
  p.fill([](int64_t i) { return double(i % 2); });
  q.fill([](int64_t i) { return double(i / 2 % 2); });
  const auto check = [&](const char* op, std::vector<Array*> inputs, auto reference) {
    std::vector<int32_t> sources = inputs.size() == 2 ? std::vector<int32_t>{0, 1} : std::vector<int32_t>{0};
    program(inputs, {&y}, {instruction(op, POLLUX_BOOL, sources)}, {int32_t(inputs.size())});
    std::vector<double> expected;
    for (int64_t i = 0; i < n * n; ++i) expected.push_back(reference(inputs[0]->get(i), inputs.back()->get(i)));
    compare(__FILE__, __LINE__, y, expected, 0, 0);
  };
  check("equal", {&a, &b}, [](double s, double t) { return s == t; });
  check("notEqual", {&a, &b}, [](double s, double t) { return s != t; });
  check("less", {&a, &b}, [](double s, double t) { return s < t; });
  check("lessEqual", {&a, &b}, [](double s, double t) { return s <= t; });
  check("greater", {&a, &b}, [](double s, double t) { return s > t; });
  check("greaterEqual", {&a, &b}, [](double s, double t) { return s >= t; });
  check("isNan", {&a}, [](double s, double) { return std::isnan(s); });
  check("isFinite", {&a}, [](double s, double) { return std::isfinite(s); });
  check("logicalNot", {&p}, [](double s, double) { return s == 0; });
  check("logicalAnd", {&p, &q}, [](double s, double t) { return s != 0 && t != 0; });
  check("logicalOr", {&p, &q}, [](double s, double t) { return s != 0 || t != 0; });
  check("logicalXor", {&p, &q}, [](double s, double t) { return (s != 0) != (t != 0); });
  check("equal", {&p, &q}, [](double s, double t) { return s == t; });
  check("less", {&p, &q}, [](double s, double t) { return s < t; });
}

// ---- casts and where ---------------------------------------------------------------------------------------------

static double cast_to(int32_t dtype, double x, bool from_float) {
  static const double low[] = {0, 0, 0, -128, 0, -2147483648.0, -9223372036854775808.0, 0},
                      high[] = {0, 0, 0, 127, 255, 2147483647.0, 9223372036854775807.0, 0};
  if (dtype == POLLUX_BOOL) return x != 0;
  if (dtype == POLLUX_FLOAT32) return double(float(x));
  if (dtype == POLLUX_BFLOAT16 || dtype == POLLUX_FLOAT16) {
    Array one(dtype, {1});
    one.set(0, double(float(x)));
    return one.get(0);
  }
  if (from_float) return std::isnan(x) ? 0 : std::fmin(std::fmax(std::trunc(x), low[dtype]), high[dtype]);
  const int64_t whole = int64_t(x);
  return dtype == POLLUX_INT8    ? int8_t(whole)
         : dtype == POLLUX_UINT8 ? uint8_t(whole)
         : dtype == POLLUX_INT32 ? int32_t(whole)
                                 : double(whole);
}

TEST(elementwise_cast_between_all_dtypes) {
  const std::vector<double> floats = {
      0,        -0.0,      1,         -1,    0.5,  -0.75, 1.999,        127.5,         128,        -128.9,
      -129,     255.5,     256,       300,   -1e9, 1e9,   2147483648.0, -2147483648.0, 4e18,       1e19,
      -1e19,    65504,     65519,     65520, 1e-7, 6e-8,  2.9e-8,       1.00048828125, 1.00390625, 3.4e38,
      infinity, -infinity, nan_value, 1e-40};
  const std::vector<double> wholes = {
      0,   1,   -1,    5,      127,      128,        -128,          -129,         255,
      256, 300, 70000, -70000, 16777217, 2147483647, -2147483648.0, 5000000000.0, -5000000000.0};
  for (int32_t from = 0; from < POLLUX_DTYPE_COUNT; ++from) {
    const bool is_float = from <= POLLUX_FLOAT16;
    const auto& list = is_float ? floats : wholes;
    const int64_t n = int64_t(list.size()) * 5 + 3;  // the values come at every place of a vector
    Array x(from, {n});
    for (int64_t i = 0; i < n; ++i) {
      const double value = list[size_t(i) % list.size()];
      if (from == POLLUX_INT32)
        x.set_integer(i, int32_t(int64_t(value)));
      else
        x.set(i, value);
    }
    for (int32_t to = 0; to < POLLUX_DTYPE_COUNT; ++to) {
      Array y(to, {n});
      program({&x}, {&y}, {instruction("cast", to, {0})}, {1});
      std::vector<double> expected;
      for (int64_t i = 0; i < n; ++i) expected.push_back(cast_to(to, x.get(i), is_float));
      COMPARE(y, expected, 0, 0);
    }
  }
}

TEST(elementwise_float16_round_trip_of_all_bits) {
  for (int32_t dtype : {POLLUX_FLOAT16, POLLUX_BFLOAT16}) {
    Array x(dtype, {65536}), y(POLLUX_FLOAT32, {65536}), back(dtype, {65536});
    for (int64_t i = 0; i < 65536; ++i) {
      const uint16_t bits = uint16_t(i);
      std::memcpy(static_cast<uint8_t*>(x.data()) + 2 * i, &bits, 2);
    }
    program({&x}, {&y}, {instruction("cast", POLLUX_FLOAT32, {0})}, {1});
    COMPARE(y, x.values(), 0, 0);
    program({&y}, {&back}, {instruction("cast", dtype, {0})}, {1});
    COMPARE(back, x.values(), 0, 0);
  }
}

TEST(elementwise_where_of_all_dtypes) {
  for (int32_t dtype = 0; dtype < POLLUX_DTYPE_COUNT; ++dtype) {
    Array c(POLLUX_BOOL, {37, 53}), a(dtype, {37, 53}), b(dtype, {37, 53}), y(dtype, {37, 53});
    Random random;
    c.fill([&](int64_t) { return double(random.below(2)); });
    a.fill([&](int64_t i) { return double(i % 2); });
    b.fill([&](int64_t i) { return dtype == POLLUX_BOOL ? 1 : double(i % 100); });
    program({&c, &a, &b}, {&y}, {instruction("where", dtype, {0, 1, 2})}, {3});
    std::vector<double> expected;
    for (int64_t i = 0; i < y.count(); ++i) expected.push_back(c.get(i) != 0 ? a.get(i) : b.get(i));
    COMPARE(y, expected, 0, 0);
  }
}
