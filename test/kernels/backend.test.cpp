// The backend table: choice of the level, memory, the commit flag, errors.
#include <cstdlib>

#include "check.h"

using namespace check;

TEST(backend_chooses_the_level) {
  char error[200] = "";
  CHECK(pollux::choose_level("sse9", error, sizeof error) == -1);
  CHECK_TEXT(std::strstr(error, "sse9") && std::strstr(error, "scalar avx2 avx512"), error);
  CHECK(pollux::choose_level("scalar", error, sizeof error) == 0);
  // A level that the machine lacks falls to the best lower one; a supported one is taken as it is.
  CHECK(pollux::choose_level(level_name(), error, sizeof error) == level());
  const int32_t best = pollux::choose_level(nullptr, error, sizeof error);
  CHECK(best >= level() && pollux::choose_level("", error, sizeof error) == best);
}

static void work_serially(void*, int32_t chunks, void (*work)(void*, int32_t), void* argument) {
  for (int32_t i = 0; i < chunks; ++i) work(argument, i);
}
static int32_t one(void*) {
  return 1;
}

TEST(backend_runs_a_step_and_honours_commit) {
  setenv("POLLUX_ISA", level_name(), 1);
  const PolluxBackend* backend = pollux_backend();
  const PolluxHost host = {POLLUX_ABI_VERSION, nullptr, work_serially, one};
  char error[200] = "";
  CHECK(backend->device_count(error, sizeof error) == 1);
  PolluxDevice* device = nullptr;
  CHECK(backend->open(&host, 1, &device, error, sizeof error) == POLLUX_NO_DEVICE);
  CHECK(backend->open(&host, 0, &device, error, sizeof error) == POLLUX_SUCCESS);
  const PolluxDescription* description = backend->describe(device);
  CHECK(std::strcmp(description->level, level_name()) == 0 && description->features == POLLUX_HOST_MEMORY);
  for (int32_t i = 0; i < description->kernel_count; ++i)
    for (int32_t k = 0; k < i; ++k) CHECK(std::strcmp(description->kernels[i].name, description->kernels[k].name) != 0);

  const uint64_t large = uint64_t(5) << 20;
  void* memory = backend->allocate(device, large);
  CHECK(memory && reinterpret_cast<uintptr_t>(memory) % 64 == 0);
  CHECK(!backend->allocate(device, uint64_t(1) << 62));
  float x[4] = {1, 2, 3, 4};
  float* on_device = static_cast<float*>(memory);
  backend->upload(device, on_device, x, sizeof x);
  backend->fill_zero(device, on_device + 4, sizeof x);

  const PolluxOperand operands[] = {{POLLUX_FLOAT32, 1, {4}, {1}}, {POLLUX_FLOAT32, 1, {4}, {1}}};
  PolluxStep step = {"copy", "test", 1, 1, operands, 0, nullptr, 0, nullptr, nullptr, POLLUX_STEP_COMMIT, 3};
  PolluxPrepared* prepared = nullptr;
  uint64_t scratch = 1;
  CHECK(backend->prepare(device, &step, &prepared, &scratch, error, sizeof error) == POLLUX_SUCCESS && scratch == 0);
  void* pointers[] = {on_device, on_device + 4};
  PolluxStatus status = {POLLUX_NOT_FINITE, 0, 0, 0};
  backend->enqueue(device, prepared, pointers, nullptr, &status);
  CHECK(on_device[4] == 0 && on_device[7] == 0);
  status = {};
  backend->enqueue(device, prepared, pointers, nullptr, &status);
  CHECK(on_device[4] == 1 && on_device[7] == 4 && status.code == POLLUX_OK);
  backend->discard(device, prepared);
  step.kernel = "nonsense";
  CHECK(backend->prepare(device, &step, &prepared, &scratch, error, sizeof error) == POLLUX_UNSUPPORTED);
  CHECK(std::strstr(error, "nonsense"));
  backend->release(device, memory, large);

  setenv("POLLUX_ISA", "nonsense", 1);
  CHECK(backend->device_count(error, sizeof error) == 0 && std::strstr(error, "scalar"));
  unsetenv("POLLUX_ISA");
}
