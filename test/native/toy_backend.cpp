// A backend of a few lines, built as libpollux_cpu.so for the native tests: so they need no kernels, the sanitizers see
// all of it, and the asynchronous twin can borrow from it. All tensors are float32 and contiguous.
#include <stdlib.h>
#include <string.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <thread>

#include "../../native/backend.h"

struct PolluxDevice {
  const PolluxHost* host;
  PolluxDescription description;
};

struct PolluxPrepared {
  const PolluxStep* step;
  int64_t elements;
};

namespace {

const PolluxKernelInfo kernels[] = {
    {"increment", 1, 0, nullptr}, {"add", 1, 0, nullptr}, {"check", 1, 0, nullptr}, {"sleep", 1, 0, nullptr}};

int32_t device_count(char*, size_t) {
  return 1;
}

PolluxResult open(const PolluxHost* host, int32_t, PolluxDevice** device, char*, size_t) {
  *device = new PolluxDevice{host, {"cpu", "toy", 4, kernels, 0, nullptr, POLLUX_HOST_MEMORY}};
  return POLLUX_SUCCESS;
}

const PolluxDescription* describe(PolluxDevice* device) {
  return &device->description;
}

void* allocate(PolluxDevice*, uint64_t bytes) {
  if (bytes > uint64_t{1} << 36) return nullptr;  // the sanitizers' allocators end the program instead
  return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

void release(PolluxDevice*, void* memory, uint64_t) {
  free(memory);
}

PolluxResult prepare(PolluxDevice*, const PolluxStep* step, PolluxPrepared** prepared, uint64_t* scratch, char*,
                     size_t) {
  int64_t elements = 1;
  const PolluxOperand& output = step->operands[step->input_count];
  for (int32_t axis = 0; axis < output.rank; ++axis) elements *= output.shape[axis];
  *prepared = new PolluxPrepared{step, elements};
  *scratch = 256;
  return POLLUX_SUCCESS;
}

void discard(PolluxDevice*, PolluxPrepared* prepared) {
  delete prepared;
}

PolluxResult enqueue(PolluxDevice* device, PolluxPrepared* prepared, void* const* operands, void* scratch,
                     PolluxStatus* status) {
  const PolluxStep& step = *prepared->step;
  if ((step.flags & POLLUX_STEP_COMMIT) && status->code != POLLUX_OK) return POLLUX_SUCCESS;
  memset(scratch, 0xab, 256);
  auto* a = static_cast<const float*>(operands[0]);
  auto* b = static_cast<const float*>(operands[step.input_count - 1]);
  auto* y = static_cast<float*>(operands[step.input_count]);
  if (strcmp(step.kernel, "check") == 0) {
    for (int64_t i = 0; i < prepared->elements; ++i)
      if (!std::isfinite(a[i]) && status->code == POLLUX_OK) *status = {POLLUX_NOT_FINITE, step.index, i, 0};
    return POLLUX_SUCCESS;
  }
  if (strcmp(step.kernel, "sleep") == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  struct Work {
    const float *a, *b;
    float* y;
    int64_t elements;
    bool add;
  } work{a, b, y, prepared->elements, strcmp(step.kernel, "add") == 0};
  constexpr int64_t chunk_size = 64;
  device->host->parallel(
      device->host->context, static_cast<int32_t>((prepared->elements + chunk_size - 1) / chunk_size),
      [](void* argument, int32_t chunk) {
        const Work& w = *static_cast<Work*>(argument);
        for (int64_t i = chunk * chunk_size; i < w.elements && i < (chunk + 1) * chunk_size; ++i)
          w.y[i] = w.add ? w.a[i] + w.b[i] : w.a[i] + 1;
      },
      &work);
  return POLLUX_SUCCESS;
}

PolluxResult copy(PolluxDevice*, void* destination, const void* source, uint64_t bytes) {
  memmove(destination, source, bytes);
  return POLLUX_SUCCESS;
}

PolluxResult fill_zero(PolluxDevice*, void* destination, uint64_t bytes) {
  memset(destination, 0, bytes);
  return POLLUX_SUCCESS;
}

PolluxResult synchronize(PolluxDevice*, char*, size_t) {
  return POLLUX_SUCCESS;
}

const PolluxBackend backend = {
    POLLUX_ABI_VERSION, device_count, open,   describe, allocate, release, prepare, discard, enqueue, copy, copy, copy,
    fill_zero,          synchronize,  nullptr};

}  // namespace

const PolluxBackend* pollux_backend(void) {
  return &backend;
}
