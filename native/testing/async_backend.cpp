// The asynchronous test twin: the CPU twin's portable kernels behind the manners of a GPU. Its memory cannot be read by
// the host (an address that leaks into a host load or store faults), its work is queued and done later by a thread of
// its own, and nothing has happened for certain until synchronize(). So no host pointer and no synchronous habit can
// creep into the runtime before a real device comes.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "../backend.h"

namespace {

/// Device addresses are host addresses moved by this: bit 62 makes them non-canonical, so every host access faults.
constexpr uintptr_t shift = uintptr_t{1} << 62;

template <typename T>
T* to_device(T* host) {
  return host ? reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(host) + shift) : nullptr;
}

template <typename T>
T* to_host(T* device) {
  return device ? reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(device) - shift) : nullptr;
}

bool is_device(const void* address) {
  return !address || reinterpret_cast<uintptr_t>(address) >= shift;
}

struct Cpu {
  const PolluxBackend* backend = nullptr;
  std::string error;
};

/// The CPU twin, from the folder that holds this library.
const Cpu& cpu() {
  static const Cpu* found = [] {
    auto* result = new Cpu;
    Dl_info self;
    dladdr(reinterpret_cast<void*>(&is_device), &self);
    const std::string path(self.dli_fname);
    const std::string library = path.substr(0, path.rfind('/') + 1) + "libpollux_cpu.so";
    void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    const auto entry = handle ? reinterpret_cast<const PolluxBackend* (*)()>(dlsym(handle, "pollux_backend")) : nullptr;
    if (entry)
      result->backend = entry();
    else
      result->error = "the CPU twin that it borrows its kernels from could not be loaded from " + library;
    return result;
  }();
  return *found;
}

}  // namespace

struct PolluxPrepared {
  PolluxPrepared* inner;  // the CPU twin's own, by a type of the same name
  size_t operands;
};

struct PolluxDevice {
  PolluxDevice* inner = nullptr;
  PolluxDescription description{};
  std::mutex inner_mutex;  // the CPU twin takes calls from one thread at a time

  std::mutex mutex;
  std::condition_variable wake, drained;
  std::deque<std::function<bool()>> queue;
  bool working = false;
  bool waited_for = false;
  bool failed = false;
  uint64_t random = 0x9e3779b97f4a7c15u;

  /// xorshift64: the delays of a run are those of the next one, as far as the scheduler allows.
  uint64_t next_random() {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return random;
  }

  void push(std::function<bool()> work) {
    {
      const std::lock_guard lock(mutex);
      queue.push_back(std::move(work));
    }
    wake.notify_one();
  }

  void loop() {
    std::unique_lock lock(mutex);
    for (;;) {
      wake.wait(lock, [&] { return !queue.empty(); });
      // Now and then nothing is done until somebody waits; else a little later than was asked.
      const uint64_t dice = next_random();
      if (dice % 4 == 0) wake.wait_for(lock, std::chrono::milliseconds(2), [&] { return waited_for; });
      const std::function<bool()> work = std::move(queue.front());
      queue.pop_front();
      working = true;
      lock.unlock();
      if (dice % 16 == 1) std::this_thread::sleep_for(std::chrono::microseconds(dice >> 8 & 127));
      const bool done = work();
      lock.lock();
      working = false;
      failed = failed || !done;
      if (queue.empty()) drained.notify_all();
    }
  }
};

namespace {

int32_t device_count(char* reason, size_t reason_size) {
  if (!cpu().backend) {
    snprintf(reason, reason_size, "%s", cpu().error.c_str());
    return 0;
  }
  return cpu().backend->device_count(reason, reason_size) > 0 ? 1 : 0;
}

PolluxResult open(const PolluxHost* host, int32_t, PolluxDevice** device, char* error, size_t error_size) {
  auto* opened = new PolluxDevice;
  // The portable kernels, unless the environment asks for others: this twin tests habits, not instruction sets.
  const char* level = getenv("POLLUX_ISA");
  if (!level) setenv("POLLUX_ISA", "scalar", 1);
  const PolluxResult result = cpu().backend->open(host, 0, &opened->inner, error, error_size);
  if (!level) unsetenv("POLLUX_ISA");
  if (result != POLLUX_SUCCESS) {
    delete opened;
    return result;
  }
  opened->description = *cpu().backend->describe(opened->inner);
  opened->description.name = "async";
  opened->description.features = 0;
  std::thread([opened] { opened->loop(); }).detach();
  *device = opened;
  return POLLUX_SUCCESS;
}

const PolluxDescription* describe(PolluxDevice* device) {
  return &device->description;
}

void* allocate(PolluxDevice* device, uint64_t bytes) {
  return to_device(cpu().backend->allocate(device->inner, bytes));
}

void release(PolluxDevice* device, void* memory, uint64_t bytes) {
  cpu().backend->release(device->inner, to_host(memory), bytes);
}

PolluxResult prepare(PolluxDevice* device, const PolluxStep* step, PolluxPrepared** prepared, uint64_t* scratch_bytes,
                     char* error, size_t error_size) {
  const std::lock_guard lock(device->inner_mutex);
  PolluxPrepared* inner = nullptr;
  const PolluxResult result = cpu().backend->prepare(device->inner, step, &inner, scratch_bytes, error, error_size);
  if (result == POLLUX_SUCCESS)
    *prepared = new PolluxPrepared{inner, static_cast<size_t>(step->input_count + step->output_count)};
  return result;
}

void discard(PolluxDevice* device, PolluxPrepared* prepared) {
  if (!prepared) return;
  const std::lock_guard lock(device->inner_mutex);
  cpu().backend->discard(device->inner, prepared->inner);
  delete prepared;
}

PolluxResult enqueue(PolluxDevice* device, PolluxPrepared* prepared, void* const* operands, void* scratch,
                     PolluxStatus* status) {
  std::vector<void*> addresses;
  for (size_t i = 0; i < prepared->operands; ++i) {
    if (!is_device(operands[i])) return POLLUX_FAILED;
    addresses.push_back(to_host(operands[i]));
  }
  if (!is_device(scratch) || !is_device(status)) return POLLUX_FAILED;
  device->push([=, addresses = std::move(addresses), inner = prepared->inner] {
    const std::lock_guard lock(device->inner_mutex);
    return cpu().backend->enqueue(device->inner, inner, addresses.data(), to_host(scratch), to_host(status)) ==
           POLLUX_SUCCESS;
  });
  return POLLUX_SUCCESS;
}

PolluxResult move(PolluxDevice* device, void* destination, const void* source, uint64_t bytes) {
  device->push([=] {
    const std::lock_guard lock(device->inner_mutex);
    return cpu().backend->copy(device->inner, destination, source, bytes) == POLLUX_SUCCESS;
  });
  return POLLUX_SUCCESS;
}

PolluxResult upload(PolluxDevice* device, void* destination, const void* host, uint64_t bytes) {
  if (!is_device(destination) || (host && is_device(host))) return POLLUX_FAILED;
  return move(device, to_host(destination), host, bytes);
}

PolluxResult download(PolluxDevice* device, void* host, const void* source, uint64_t bytes) {
  if (!is_device(source) || (host && is_device(host))) return POLLUX_FAILED;
  return move(device, host, to_host(source), bytes);
}

PolluxResult copy(PolluxDevice* device, void* destination, const void* source, uint64_t bytes) {
  if (!is_device(destination) || !is_device(source)) return POLLUX_FAILED;
  return move(device, to_host(destination), to_host(source), bytes);
}

PolluxResult fill_zero(PolluxDevice* device, void* destination, uint64_t bytes) {
  if (!is_device(destination)) return POLLUX_FAILED;
  device->push([=] {
    const std::lock_guard lock(device->inner_mutex);
    return cpu().backend->fill_zero(device->inner, to_host(destination), bytes) == POLLUX_SUCCESS;
  });
  return POLLUX_SUCCESS;
}

PolluxResult synchronize(PolluxDevice* device, char* error, size_t error_size) {
  std::unique_lock lock(device->mutex);
  device->waited_for = true;
  device->wake.notify_one();
  device->drained.wait(lock, [&] { return device->queue.empty() && !device->working; });
  device->waited_for = false;
  if (!device->failed) return POLLUX_SUCCESS;
  device->failed = false;
  snprintf(error, error_size, "a queued step failed");
  return POLLUX_FAILED;
}

const PolluxBackend backend = {
    POLLUX_ABI_VERSION, device_count, open,      describe,    allocate, release, prepare, discard, enqueue, upload,
    download,           copy,         fill_zero, synchronize, nullptr};

}  // namespace

const PolluxBackend* pollux_backend(void) {
  return &backend;
}
