// The plan reader against damage: every truncation, and many bit flips. It may accept a flip, but never crash or read
// outside (the sanitizers watch), and what it accepts must hold together.
#include "../../native/runtime/plan.h"

#include "check.h"
#include "wire_writer.h"

namespace {

std::vector<uint8_t> sample() {
  WireWriter writer;
  const uint32_t x = writer.binding(100, false), state = writer.binding(100, true);
  const uint32_t sum = writer.temporary(100), y = writer.result(100);
  writer.step("add", {x, state}, {sum});
  writer.step("check", {sum}, {sum});
  writer.step("increment", {sum}, {y});
  writer.step("increment", {sum}, {state}, true);
  return writer.finish();
}

/// Reads from an allocation of exactly this size, so that a read beyond it is seen.
std::unique_ptr<pollux::Plan> read(const std::vector<uint8_t>& wire, std::string* error) {
  const std::vector<uint8_t> exact(wire.begin(), wire.end());
  return pollux::Plan::read(exact.data(), exact.size(), error);
}

void check_consistent(const pollux::Plan& plan) {
  volatile double sum = 0;  // read everything, so that the sanitizers see it
  for (const pollux::PlanStep& step : plan.steps()) {
    CHECK(std::strlen(step.step.kernel) < 100);
    for (const uint32_t tensor : step.tensors) CHECK(tensor < plan.tensors().size());
    for (int32_t i = 0; i < step.step.attribute_count; ++i)
      for (int32_t k = 0; k < step.step.attributes[i].count; ++k) sum = sum + step.step.attributes[i].numbers[k];
  }
}

TEST(reads_a_sound_plan) {
  std::string error;
  const auto plan = read(sample(), &error);
  CHECK(plan);
  CHECK(plan->steps().size() == 4 && plan->steps()[3].commit && !plan->steps()[2].commit);
  CHECK(std::strcmp(plan->steps()[0].step.kernel, "add") == 0);
  CHECK(plan->steps()[0].step.attributes[0].numbers[1] == 2);
  CHECK(plan->bindings().size() == 2 && plan->results()[0] == 400);
}

TEST(refuses_every_truncation) {
  const auto wire = sample();
  for (size_t bytes = 0; bytes < wire.size(); ++bytes) {
    std::string error;
    CHECK(!read({wire.begin(), wire.begin() + static_cast<std::ptrdiff_t>(bytes)}, &error));
    CHECK(!error.empty());
  }
}

TEST(survives_bit_flips) {
  const auto wire = sample();
  size_t refused = 0;
  for (size_t bit = 0; bit < wire.size() * 8; ++bit) {
    auto damaged = wire;
    damaged[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    std::string error;
    const auto plan = read(damaged, &error);
    CHECK(plan || !error.empty());
    if (plan)
      check_consistent(*plan);
    else
      ++refused;
  }
  CHECK(refused > wire.size());  // most flips hit something that is checked
}

TEST(survives_random_damage) {
  const auto wire = sample();
  uint64_t random = 88172645463325252u;
  const auto next = [&] { return random ^= random << 13, random ^= random >> 7, random ^= random << 17; };
  for (int round = 0; round < 20000; ++round) {
    auto damaged = wire;
    for (uint64_t k = 1 + next() % 4; k > 0; --k) {
      const uint64_t value = next() % 3 ? next() : ~uint64_t{0} >> next() % 64;
      const size_t at = next() % (wire.size() - 8);
      std::memcpy(&damaged[at & ~size_t{3}], &value, next() % 2 ? 8 : 4);
    }
    std::string error;
    const auto plan = read(damaged, &error);
    if (plan) check_consistent(*plan);
  }
}

}  // namespace
