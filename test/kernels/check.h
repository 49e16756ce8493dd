// The harness of the kernel tests: tests that run at every instruction-set level of the machine, operands with canary
// bytes around them, a host of one and of two threads, and comparison with float64 references.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "../../native/backend.h"
#include "../../native/cpu/registry.h"

namespace check {

struct Test {
  const char* name;
  void (*body)();
};
std::vector<Test>& tests();
struct Register {
  Register(const char* name, void (*body)()) { tests().push_back({name, body}); }
};

/// Defines a test; it is run once per level. The name carries the family: `TEST(pool_max_of_odd_sizes) { ... }`.
#define TEST(name)                                           \
  static void name();                                        \
  static const check::Register register_##name(#name, name); \
  static void name()

extern int failures;
void fail(const char* file, int line, const std::string& message);
#define CHECK(condition)                                           \
  do {                                                             \
    if (!(condition)) check::fail(__FILE__, __LINE__, #condition); \
  } while (0)
#define CHECK_TEXT(condition, message)                            \
  do {                                                            \
    if (!(condition)) check::fail(__FILE__, __LINE__, (message)); \
  } while (0)

int level();  ///< index of the level under test, see native/cpu/registry.h
const char* level_name();
bool benchmarking();  ///< run with --bench: tests named bench_* run, and no others

/// The same stream of numbers in every run.
struct Random {
  uint64_t state = 0x9E3779B97F4A7C15ull;
  uint64_t next() {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545F4914F6CDD1Dull;
  }
  double uniform(double low = -1, double high = 1) {
    return low + (high - low) * double(next() >> 11) / 9007199254740992.0;
  }
  int64_t below(int64_t n) { return int64_t((next() >> 16) % uint64_t(n)); }
};

/// An array with its own memory, canaries on both sides, of any strides. Values are read and written as doubles (or as
/// int64 for the integer types) by row-major index.
class Array {
 public:
  Array(int32_t dtype, std::vector<int64_t> shape);
  /// `order` permutes the axes in memory (order[0] outermost), `gap` leaves room between elements, and `flipped` axes
  /// get negative strides.
  Array(int32_t dtype, std::vector<int64_t> shape, std::vector<int> order, int64_t gap = 1,
        std::vector<int> flipped = {});
  /// A view: the given axes are broadcast (memory holds one element along them).
  static Array broadcast(int32_t dtype, std::vector<int64_t> shape, std::vector<int> axes);

  const PolluxOperand& operand() const { return operand_; }
  void* data() { return memory_.data() + start_; }
  int64_t count() const { return count_; }
  const std::vector<int64_t>& shape() const { return shape_; }
  int64_t offset(int64_t index) const;  ///< of the element with this row-major index
  double get(int64_t index) const;
  int64_t get_integer(int64_t index) const;
  void set(int64_t index, double value);
  void set_integer(int64_t index, int64_t value);
  Array& fill(const std::function<double(int64_t)>& value);
  Array& randomize(Random& random, double low = -1, double high = 1);
  std::vector<double> values() const;
  /// False if a byte outside the elements was written (canaries, and the gaps between the elements).
  bool intact() const;
  /// Bytes of the whole block, to compare two runs bit for bit.
  const std::vector<uint8_t>& memory() const { return memory_; }

 private:
  void build(std::vector<int64_t> strides_shape, const std::vector<int>& order, int64_t gap,
             const std::vector<int>& flipped);
  PolluxOperand operand_{};
  std::vector<int64_t> shape_;
  int64_t count_ = 0;
  size_t start_ = 0;
  std::vector<uint8_t> memory_;
};

struct Attribute {
  std::string name;
  std::vector<double> numbers;
  std::string text;
  Attribute(std::string n, double value) : name(std::move(n)), numbers{value} {}
  Attribute(std::string n, std::vector<double> values) : name(std::move(n)), numbers(std::move(values)) {}
  Attribute(std::string n, const char* value) : name(std::move(n)), text(value) {}
};

struct Step {
  std::string kernel;
  std::vector<Array*> inputs;
  std::vector<Array*> outputs;
  std::vector<Attribute> attributes = {};
  std::vector<PolluxInstruction> instructions = {};
  std::vector<int32_t> stored = {};
  uint32_t flags = 0;
};

/// Prepares the step at the level under test and runs it with one thread, then again with two; checks that the outputs
/// have the same bits and that nothing outside them was written. Returns the status of the run. Operands that alias are
/// given back their first contents before the second run.
PolluxStatus run(const Step& step);

/// Runs once on `threads` threads without the checks; for timing, the step is prepared once.
class Runner {
 public:
  explicit Runner(const Step& step);
  ~Runner();
  void operator()(int threads = 1);
  PolluxStatus status{};

 private:
  struct State;
  State* state_;
};

/// Least time in seconds of a few calls.
double fastest(const std::function<void()>& call, int repeats = 7);

/// Compares with a reference: |got - expected| <= absolute + relative * |expected|; NaN equals NaN, infinities are
/// equal to themselves. Reports the worst element.
void compare(const char* file, int line, const Array& got, const std::vector<double>& expected, double relative,
             double absolute);
#define COMPARE(got, expected, relative, absolute) check::compare(__FILE__, __LINE__, got, expected, relative, absolute)

}  // namespace check
