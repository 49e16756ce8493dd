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

/// ys[i] = carry + xs[i], five times; the carry lies in two places by turns. Then a loop in a loop.
WireWriter looping() {
  using pollux::wire::no_index;
  WireWriter writer;
  const uint32_t xs = writer.binding(50, false), init = writer.binding(10, false), ys = writer.result(50);
  const uint32_t a = writer.temporary(10), b = writer.temporary(10);
  const uint32_t loop = writer.loop(5, 2);
  const uint32_t x = writer.moving(loop, no_index, xs, xs, 40, 10), y = writer.moving(loop, no_index, ys, ys, 40, 10);
  const uint32_t before = writer.moving(loop, init, a, b, 0, 10), after = writer.moving(loop, no_index, b, a, 0, 10);
  writer.step("add", {before, x}, {after});
  writer.step("add", {after, x}, {y});
  const uint32_t rows = writer.binding(60, false), sums = writer.result(60);
  const uint32_t outer = writer.loop(3, 2);
  const uint32_t row = writer.moving(outer, no_index, rows, rows, 80, 20);
  const uint32_t out = writer.moving(outer, no_index, sums, sums, 80, 20);
  const uint32_t inner = writer.loop(2, 1);
  writer.step("increment", {writer.moving(inner, no_index, row, row, 40, 10)},
              {writer.moving(inner, no_index, out, out, 40, 10)});
  return writer;
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

TEST(reads_loops) {
  std::string error;
  const auto plan = read(looping().finish(), &error);
  CHECK(plan);
  CHECK(plan->steps().size() == 6 && plan->loops().size() == 3);
  CHECK(plan->loops()[0].begin == 1 && plan->loops()[0].end == 3 && plan->loops()[0].moves.size() == 4);
  CHECK(plan->loops()[2].outer == 1 && plan->loops()[1].outer == pollux::wire::no_index);
  CHECK(plan->estimated_microseconds() > 0.5 * (2 * 5 + 2 * 3));
}

template <typename Change>
void refuses(const char* reason, const Change& change) {
  WireWriter writer = looping();
  change(&writer);
  std::string error;
  CHECK(!read(writer.finish(), &error));
  if (error.find(reason) == std::string::npos) std::printf("%s\n", error.c_str());
  CHECK(error.find(reason) != std::string::npos);
}

TEST(refuses_malformed_loops) {
  refuses("reaches outside", [](WireWriter* w) { w->moves[0].stride = 44; });
  refuses("reaches outside", [](WireWriter* w) { w->loops[0].length = 6; });
  refuses("moves out of", [](WireWriter* w) { w->moves[1].stride = -40; });
  refuses("reaches outside",
          [](WireWriter* w) { w->moves[6].stride = 44; });  // only in the outer loop's last iteration
  refuses("alignment", [](WireWriter* w) { w->moves[0].stride = 42; });
  refuses("too far", [](WireWriter* w) { w->moves[0].stride = INT64_MIN; });
  refuses("iterations", [](WireWriter* w) { w->loops[1].length = 0; });
  refuses("end outside", [](WireWriter* w) { w->loops[1].steps = 3; });
  refuses("end outside", [](WireWriter* w) { w->loops[2].steps = 2; });
  refuses("end outside", [](WireWriter* w) { w->loops[0].steps = 0; });
  refuses("does not exist", [](WireWriter* w) { w->moves[2].loop = 9; });
  refuses("does not exist", [](WireWriter* w) { w->moves[2].first = 99; });
  refuses("does not exist", [](WireWriter* w) { w->moves[2].even = pollux::wire::no_index; });
  refuses("moves with another", [](WireWriter* w) { w->moves[0].even = 6; });  // a tensor of the same loop
  refuses("moves with another", [](WireWriter* w) { w->moves[4].even = 6; });  // of another loop
  refuses("does not lie in", [](WireWriter* w) {
    w->moves[6].loop = 0;
    w->moves[6].even = w->moves[6].odd = 0;
  });
  refuses("no step stands", [](WireWriter* w) { w->loops.push_back({2, 1, 0}); });
  refuses("writes to binding", [](WireWriter* w) { w->moves[1].even = w->moves[1].odd = 0; });
  refuses("commits in a loop", [](WireWriter* w) {
    w->loop(2, 1);
    w->step("increment", {1}, {3}, true);
  });
}

TEST(refuses_every_truncation) {
  const auto wire = looping().finish();
  for (size_t bytes = 0; bytes < wire.size(); ++bytes) {
    std::string error;
    CHECK(!read({wire.begin(), wire.begin() + static_cast<std::ptrdiff_t>(bytes)}, &error));
    CHECK(!error.empty());
  }
}

void survives_bit_flips(const std::vector<uint8_t>& wire) {
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

TEST(survives_bit_flips) {
  survives_bit_flips(sample());
  survives_bit_flips(looping().finish());
}

TEST(survives_random_damage) {
  const auto wire = looping().finish();
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
