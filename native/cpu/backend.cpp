// The CPU twin behind native/backend.h: synchronous, memory shared with the host, kernels chosen by instruction set.
#include "../backend.h"

#include <stdio.h>

#include <atomic>
#include <new>
#include <vector>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "instructions.h"
#include "registry.h"
#include "threads.h"

namespace pollux {
namespace {
thread_local int64_t threads_to_prepare_for = 1;
}
int64_t host_threads() {
  return threads_to_prepare_for;
}
void set_host_threads(int64_t threads) {
  threads_to_prepare_for = threads < 1 ? 1 : threads;
}
}  // namespace pollux

struct PolluxDevice {
  const PolluxHost* host;
  int32_t level;
  std::vector<PolluxKernelInfo> kernels;
  PolluxDescription description;
  std::atomic<uint64_t> packed_bytes;
};

struct PolluxPrepared {
  pollux::Prepared prepared;
  bool commit;
};

namespace {

constexpr size_t alignment = 64;
constexpr size_t huge_page = size_t{2} << 20;

int32_t device_count(char* reason, size_t reason_size) {
  return pollux::choose_level(getenv("POLLUX_ISA"), reason, reason_size) < 0 ? 0 : 1;
}

PolluxResult open(const PolluxHost* host, int32_t index, PolluxDevice** device, char* error, size_t error_size) {
  if (host->abi_version != POLLUX_ABI_VERSION) {
    snprintf(error, error_size,
             "the CPU backend speaks version %d of the backend interface, the runtime version %d; rebuild both",
             POLLUX_ABI_VERSION, static_cast<int>(host->abi_version));
    return POLLUX_FAILED;
  }
  const int32_t level = pollux::choose_level(getenv("POLLUX_ISA"), error, error_size);
  if (level < 0) return POLLUX_FAILED;
  if (index != 0) {
    snprintf(error, error_size, "there is one CPU device, cpu:0; cpu:%d does not exist", static_cast<int>(index));
    return POLLUX_NO_DEVICE;
  }
  try {
    auto* opened = new PolluxDevice{host, level, {}, {}, {}};
    opened->kernels.resize(static_cast<size_t>(pollux::list_kernels(level, nullptr)));
    pollux::list_kernels(level, opened->kernels.data());
    opened->description = {"cpu",
                           pollux::levels()[level].name,
                           static_cast<int32_t>(opened->kernels.size()),
                           opened->kernels.data(),
                           pollux::instruction_count,
                           pollux::instructions,
                           POLLUX_HOST_MEMORY};
    *device = opened;
    return POLLUX_SUCCESS;
  } catch (const std::bad_alloc&) {
    snprintf(error, error_size, "out of memory while opening the CPU device");
    return POLLUX_OUT_OF_MEMORY;
  }
}

const PolluxDescription* describe(PolluxDevice* device) {
  return &device->description;
}

// Arenas are read and written from end to end: huge pages save most of the page faults and TLB misses.
void* allocate(PolluxDevice*, uint64_t bytes) {
  const size_t align = bytes >= 2 * huge_page ? huge_page : alignment;
  void* memory = nullptr;
  if (posix_memalign(&memory, align, bytes ? bytes : alignment) != 0) return nullptr;
#if defined(__linux__)
  if (align == huge_page) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  return memory;
}

void release(PolluxDevice*, void* memory, uint64_t) {
  free(memory);
}

PolluxResult prepare(PolluxDevice* device, const PolluxStep* step, PolluxPrepared** prepared, uint64_t* scratch_bytes,
                     char* error, size_t error_size) {
  const pollux::Kernel* kernel = pollux::find_kernel(device->level, step->kernel);
  if (!kernel) {
    snprintf(error, error_size, "the CPU backend has no kernel '%s'", step->kernel);
    return POLLUX_UNSUPPORTED;
  }
  auto* made = new (std::nothrow) PolluxPrepared{};
  if (!made) return POLLUX_OUT_OF_MEMORY;
  made->prepared.step = step;
  made->commit = step->flags & POLLUX_STEP_COMMIT;
  pollux::set_host_threads(device->host->threads(device->host->context));
  const PolluxResult result = kernel->prepare(*step, &made->prepared);
  if (result != POLLUX_SUCCESS) {
    snprintf(error, error_size, "the CPU kernel '%s' (%s) %s", step->kernel, step->label ? step->label : "",
             result == POLLUX_OUT_OF_MEMORY ? "ran out of memory" : "does not support these operands");
    free(made->prepared.parameters);
    delete made;
    return result;
  }
  device->packed_bytes += made->prepared.packed_bytes;
  *scratch_bytes = made->prepared.scratch_bytes;
  *prepared = made;
  return POLLUX_SUCCESS;
}

void discard(PolluxDevice* device, PolluxPrepared* prepared) {
  if (!prepared) return;
  device->packed_bytes -= prepared->prepared.packed_bytes;
  free(prepared->prepared.parameters);
  delete prepared;
}

PolluxResult enqueue(PolluxDevice* device, PolluxPrepared* prepared, void* const* operands, void* scratch,
                     PolluxStatus* status) {
  if (prepared->commit && status->code != POLLUX_OK) return POLLUX_SUCCESS;
  prepared->prepared.run(prepared->prepared, {operands, scratch, status, device->host});
  return POLLUX_SUCCESS;
}

PolluxResult copy(PolluxDevice*, void* destination, const void* source, uint64_t bytes) {
  if (bytes) memmove(destination, source, bytes);
  return POLLUX_SUCCESS;
}

PolluxResult fill_zero(PolluxDevice*, void* destination, uint64_t bytes) {
  if (bytes) memset(destination, 0, bytes);
  return POLLUX_SUCCESS;
}

PolluxResult synchronize(PolluxDevice*, char*, size_t) {
  return POLLUX_SUCCESS;
}

uint64_t packed_bytes(PolluxDevice* device) {
  return device->packed_bytes;
}

// Memory of the device is memory of the host: both transfers are copies.
const PolluxBackend backend = {POLLUX_ABI_VERSION,
                               device_count,
                               open,
                               describe,
                               allocate,
                               release,
                               prepare,
                               discard,
                               enqueue,
                               copy,
                               copy,
                               copy,
                               fill_zero,
                               synchronize,
                               packed_bytes};

}  // namespace

const PolluxBackend* pollux_backend(void) {
  return &backend;
}
