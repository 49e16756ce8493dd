// The harness behind check.h.
#include "check.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "../../native/cpu/threads.h"

namespace check {

int failures = 0;
static int current_level = 0;
static const char* current_test = "";
static bool bench_mode = false;

std::vector<Test>& tests() {
  static std::vector<Test> list;
  return list;
}

void fail(const char* file, int line, const std::string& message) {
  if (++failures <= 40)
    std::printf("FAIL %s [%s] %s:%d: %s\n", current_test, level_name(), file, line, message.c_str());
}

int level() {
  return current_level;
}
const char* level_name() {
  return pollux::levels()[current_level].name;
}
bool benchmarking() {
  return bench_mode;
}

// ---- numbers of the storage types --------------------------------------------------------------------------------

static float from_bfloat16(uint16_t h) {
  uint32_t bits = uint32_t(h) << 16;
  float f;
  std::memcpy(&f, &bits, 4);
  return f;
}

static uint16_t to_bfloat16(float f) {
  uint32_t bits;
  std::memcpy(&bits, &f, 4);
  if (std::isnan(f)) return uint16_t(bits >> 16 | 0x40);
  return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static double from_float16(uint16_t h) {
  const int exponent = h >> 10 & 31, mantissa = h & 1023;
  double value = exponent == 0    ? std::ldexp(mantissa, -24)
                 : exponent == 31 ? (mantissa ? NAN : INFINITY)
                                  : std::ldexp(1024 + mantissa, exponent - 25);
  return h & 0x8000 ? -value : value;
}

static uint16_t to_float16(double value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double size = std::fabs(value);
  if (std::isnan(value)) return sign | 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  if (size == 0) return sign;
  int exponent;
  std::frexp(size, &exponent);
  exponent = std::max(exponent, -13);
  const double ulp = std::ldexp(1.0, exponent - 11);
  const int64_t steps = int64_t(std::nearbyint(size / ulp));  // of the ulp; 1024 .. 2048 for normal numbers
  if (exponent == -13 && steps < 1024) return sign | uint16_t(steps);
  return sign | uint16_t(((exponent + 14) << 10) + (steps - 1024));
}

// ---- arrays ------------------------------------------------------------------------------------------------------

constexpr size_t guard = 128;
constexpr uint8_t canary = 0xA5;

Array::Array(int32_t dtype, std::vector<int64_t> shape) : Array(dtype, std::move(shape), {}, 1, {}) {}

Array::Array(int32_t dtype, std::vector<int64_t> shape, std::vector<int> order, int64_t gap, std::vector<int> flipped)
    : shape_(std::move(shape)) {
  operand_.dtype = dtype;
  operand_.rank = int32_t(shape_.size());
  build(shape_, order, gap, flipped);
}

Array Array::broadcast(int32_t dtype, std::vector<int64_t> shape, std::vector<int> axes) {
  std::vector<int64_t> held = shape;
  for (int axis : axes) held[size_t(axis)] = std::min<int64_t>(1, held[size_t(axis)]);
  Array array(dtype, held);
  array.shape_ = shape;
  array.count_ = 1;
  for (size_t i = 0; i < shape.size(); ++i) {
    array.operand_.shape[i] = shape[i];
    array.count_ *= shape[i];
  }
  for (int axis : axes) array.operand_.stride[axis] = 0;
  return array;
}

void Array::build(std::vector<int64_t> shape, const std::vector<int>& given, int64_t gap,
                  const std::vector<int>& flipped) {
  std::vector<int> order = given;
  if (order.empty())
    for (int i = 0; i < int(shape.size()); ++i) order.push_back(i);
  int64_t stride = gap;
  count_ = 1;
  for (int i = int(order.size()) - 1; i >= 0; --i) {
    const int axis = order[size_t(i)];
    operand_.shape[axis] = shape[size_t(axis)];
    operand_.stride[axis] = stride;
    stride *= std::max<int64_t>(1, shape[size_t(axis)]);
    count_ *= shape[size_t(axis)];
  }
  const size_t size = size_t(pollux::byte_size(operand_.dtype));
  const size_t bytes = count_ ? size_t(stride) * size : 0;
  memory_.assign(bytes + 2 * guard, canary);
  start_ = guard;
  for (int axis : flipped) {
    if (count_) start_ += size_t(operand_.stride[axis] * (operand_.shape[axis] - 1)) * size;
    operand_.stride[axis] = -operand_.stride[axis];
  }
}

int64_t Array::offset(int64_t index) const {
  int64_t offset = 0;
  for (int axis = operand_.rank - 1; axis >= 0; --axis) {
    offset += index % operand_.shape[axis] * operand_.stride[axis];
    index /= operand_.shape[axis];
  }
  return offset;
}

template <typename T>
static T read(const std::vector<uint8_t>& memory, size_t at) {
  T value;
  std::memcpy(&value, memory.data() + at, sizeof value);
  return value;
}

template <typename T>
static void write(std::vector<uint8_t>& memory, size_t at, T value) {
  std::memcpy(memory.data() + at, &value, sizeof value);
}

int64_t Array::get_integer(int64_t index) const {
  const size_t at = size_t(int64_t(start_) + offset(index) * pollux::byte_size(operand_.dtype));
  switch (operand_.dtype) {
    case POLLUX_INT8:
      return read<int8_t>(memory_, at);
    case POLLUX_UINT8:
    case POLLUX_BOOL:
      return read<uint8_t>(memory_, at);
    case POLLUX_INT32:
      return read<int32_t>(memory_, at);
    case POLLUX_INT64:
      return read<int64_t>(memory_, at);
    default:
      return int64_t(get(index));
  }
}

double Array::get(int64_t index) const {
  const size_t at = size_t(int64_t(start_) + offset(index) * pollux::byte_size(operand_.dtype));
  switch (operand_.dtype) {
    case POLLUX_FLOAT32:
      return read<float>(memory_, at);
    case POLLUX_BFLOAT16:
      return from_bfloat16(read<uint16_t>(memory_, at));
    case POLLUX_FLOAT16:
      return from_float16(read<uint16_t>(memory_, at));
    default:
      return double(get_integer(index));
  }
}

void Array::set_integer(int64_t index, int64_t value) {
  const size_t at = size_t(int64_t(start_) + offset(index) * pollux::byte_size(operand_.dtype));
  switch (operand_.dtype) {
    case POLLUX_INT8:
    case POLLUX_UINT8:
      return write(memory_, at, uint8_t(value));
    case POLLUX_BOOL:
      return write(memory_, at, uint8_t(value != 0));
    case POLLUX_INT32:
      return write(memory_, at, int32_t(value));
    case POLLUX_INT64:
      return write(memory_, at, value);
    default:
      return set(index, double(value));
  }
}

void Array::set(int64_t index, double value) {
  const size_t at = size_t(int64_t(start_) + offset(index) * pollux::byte_size(operand_.dtype));
  switch (operand_.dtype) {
    case POLLUX_FLOAT32:
      return write(memory_, at, float(value));
    case POLLUX_BFLOAT16:
      return write(memory_, at, to_bfloat16(float(value)));
    case POLLUX_FLOAT16:
      return write(memory_, at, to_float16(value));
    default:
      return set_integer(index, int64_t(value));
  }
}

Array& Array::fill(const std::function<double(int64_t)>& value) {
  for (int64_t i = 0; i < count_; ++i) set(i, value(i));
  return *this;
}

Array& Array::randomize(Random& random, double low, double high) {
  return fill([&](int64_t) { return random.uniform(low, high); });
}

std::vector<double> Array::values() const {
  std::vector<double> values;
  values.reserve(size_t(count_));
  for (int64_t i = 0; i < count_; ++i) values.push_back(get(i));
  return values;
}

bool Array::intact() const {
  std::vector<bool> owned(memory_.size(), false);
  const int64_t size = pollux::byte_size(operand_.dtype);
  for (int64_t i = 0; i < count_; ++i) {
    const int64_t at = int64_t(start_) + offset(i) * size;
    for (int64_t b = 0; b < size; ++b) owned[size_t(at + b)] = true;
  }
  for (size_t i = 0; i < memory_.size(); ++i)
    if (!owned[i] && memory_[i] != canary) return false;
  return true;
}

// ---- running -----------------------------------------------------------------------------------------------------

static void run_serially(void*, int32_t chunks, void (*work)(void*, int32_t), void* argument) {
  for (int32_t i = 0; i < chunks; ++i) work(argument, i);
}

// Chunks from the last to the first, shared by two threads: neither order nor owner may show in the bits.
static void run_on_two(void*, int32_t chunks, void (*work)(void*, int32_t), void* argument) {
  std::thread other([&] {
    for (int32_t i = chunks - 1; i >= 0; i -= 2) work(argument, i);
  });
  for (int32_t i = chunks - 2; i >= 0; i -= 2) work(argument, i);
  other.join();
}

static int32_t one_thread(void*) {
  return 1;
}
static int32_t two_threads(void*) {
  return 2;
}
static const PolluxHost serial_host = {POLLUX_ABI_VERSION, nullptr, run_serially, one_thread};
static const PolluxHost double_host = {POLLUX_ABI_VERSION, nullptr, run_on_two, two_threads};

struct Runner::State {
  std::vector<PolluxOperand> operands;
  std::vector<PolluxAttribute> attributes;
  std::vector<void*> pointers;
  Step source;
  PolluxStep step{};
  pollux::Prepared prepared{};
  void* scratch = nullptr;
};

Runner::Runner(const Step& given) : state_(new State{}) {
  State& s = *state_;
  s.source = given;
  for (Array* a : s.source.inputs) s.operands.push_back(a->operand()), s.pointers.push_back(a->data());
  for (Array* a : s.source.outputs) s.operands.push_back(a->operand()), s.pointers.push_back(a->data());
  for (const Attribute& a : s.source.attributes)
    s.attributes.push_back(
        {a.name.c_str(), a.text.empty() ? nullptr : a.text.c_str(), int32_t(a.numbers.size()), a.numbers.data()});
  s.step = {s.source.kernel.c_str(),
            "test",
            int32_t(given.inputs.size()),
            int32_t(given.outputs.size()),
            s.operands.data(),
            int32_t(s.attributes.size()),
            s.attributes.data(),
            int32_t(given.instructions.size()),
            s.source.instructions.data(),
            s.source.stored.data(),
            given.flags,
            7};
  const pollux::Kernel* kernel = pollux::find_kernel(current_level, s.step.kernel);
  if (!kernel) {
    fail(__FILE__, __LINE__, "no kernel " + given.kernel);
    return;
  }
  s.prepared.step = &s.step;
  pollux::set_host_threads(2);  // those of double_host
  if (kernel->prepare(s.step, &s.prepared) != POLLUX_SUCCESS) {
    fail(__FILE__, __LINE__, "prepare failed for " + given.kernel);
    s.prepared.run = nullptr;
  }
  s.scratch = std::aligned_alloc(64, (s.prepared.scratch_bytes + 127) / 64 * 64);
  std::memset(s.scratch, 0xCD, (s.prepared.scratch_bytes + 127) / 64 * 64);
}

Runner::~Runner() {
  std::free(state_->prepared.parameters);
  std::free(state_->scratch);
  delete state_;
}

void Runner::operator()(int threads) {
  State& s = *state_;
  status = {};
  if (!s.prepared.run) return;
  s.prepared.run(s.prepared, {s.pointers.data(), s.scratch, &status, threads == 1 ? &serial_host : &double_host});
  const auto* bytes = static_cast<const uint8_t*>(s.scratch);
  for (uint64_t i = s.prepared.scratch_bytes; i < (s.prepared.scratch_bytes + 127) / 64 * 64; ++i)
    if (bytes[i] != 0xCD) {
      fail(__FILE__, __LINE__, s.source.kernel + " wrote behind its scratch");
      break;
    }
}

PolluxStatus run(const Step& step) {
  Runner runner(step);
  // Both runs start from the same bytes: outputs may lie over inputs.
  std::vector<std::vector<uint8_t>> before, inputs;
  for (Array* a : step.outputs) before.push_back(a->memory());
  for (Array* a : step.inputs) inputs.push_back(a->memory());
  runner(2);
  const PolluxStatus status = runner.status;
  std::vector<std::vector<uint8_t>> two;
  for (Array* a : step.outputs) two.push_back(a->memory());
  for (size_t i = 0; i < step.outputs.size(); ++i)
    if (!before[i].empty())
      std::memcpy(const_cast<uint8_t*>(step.outputs[i]->memory().data()), before[i].data(), before[i].size());
  runner(1);
  CHECK_TEXT(std::memcmp(&status, &runner.status, sizeof status) == 0,
             step.kernel + ": the status depends on the threads");
  for (size_t i = 0; i < step.outputs.size(); ++i) {
    CHECK_TEXT(two[i] == step.outputs[i]->memory(), step.kernel + ": the bits depend on the threads");
    CHECK_TEXT(step.outputs[i]->intact(), step.kernel + ": wrote outside its output");
  }
  for (size_t i = 0; i < step.inputs.size(); ++i)
    if (std::find(step.outputs.begin(), step.outputs.end(), step.inputs[i]) == step.outputs.end())
      CHECK_TEXT(inputs[i] == step.inputs[i]->memory(), step.kernel + ": wrote to an input");
  return status;
}

double fastest(const std::function<void()>& call, int repeats) {
  double best = 1e30;
  for (int i = 0; i < repeats; ++i) {
    const auto start = std::chrono::steady_clock::now();
    call();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

void compare(const char* file, int line, const Array& got, const std::vector<double>& expected, double relative,
             double absolute) {
  if (int64_t(expected.size()) != got.count()) return fail(file, line, "the reference has another size");
  double worst = 0;
  int64_t where = -1;
  for (int64_t i = 0; i < got.count(); ++i) {
    const double g = got.get(i), e = expected[size_t(i)];
    if ((std::isnan(g) && std::isnan(e)) || g == e) continue;
    const double error = std::fabs(g - e) / (absolute + relative * std::fabs(e));
    if (!(error <= 1) && (where < 0 || !(error <= worst))) worst = error, where = i;
  }
  if (where >= 0) {
    char text[200];
    std::snprintf(text, sizeof text, "element %lld is %.9g, expected %.9g: %.3g times the tolerance",
                  static_cast<long long>(where), got.get(where), expected[size_t(where)], worst);
    fail(file, line, text);
  }
}

}  // namespace check

/// run [--bench] [FILTER...]: runs the tests whose names contain one of the filters, at every level of the machine.
int main(int count, char** arguments) {
  using namespace check;
  std::vector<std::string> filters;
  for (int i = 1; i < count; ++i) {
    if (std::strcmp(arguments[i], "--bench") == 0)
      bench_mode = true;
    else
      filters.push_back(arguments[i]);
  }
  int ran = 0;
  for (current_level = 0; current_level < pollux::level_count(); ++current_level) {
    if (!pollux::levels()[current_level].supported()) {
      std::printf("level %s: not supported by this machine, skipped\n", level_name());
      continue;
    }
    if (bench_mode) std::printf("-- %s\n", level_name());
    for (const Test& test : tests()) {
      const bool bench = std::strncmp(test.name, "bench_", 6) == 0;
      bool chosen = filters.empty();
      for (const std::string& filter : filters) chosen |= std::strstr(test.name, filter.c_str()) != nullptr;
      if (!chosen || bench != bench_mode) continue;
      current_test = test.name;
      test.body();
      std::fflush(stdout);
      ++ran;
    }
  }
  std::printf("%d runs, %d failures\n", ran, failures);
  return failures || !ran ? 1 : 0;
}
