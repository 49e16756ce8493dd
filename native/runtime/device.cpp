#include "device.h"

#include <cstring>
#include <map>

#include "backend_library.h"
#include "worker_pool.h"

namespace pollux {
namespace {

struct Registry {
  std::mutex mutex;
  std::map<std::string, Device*> devices;
  std::map<uint64_t, std::shared_ptr<Buffer>> shared;
  uint64_t next_share = 1;
};

Registry& registry() {
  static auto* instance = new Registry;  // leaked on purpose: executors outlive static destructors
  return *instance;
}

const PolluxHost host = {
    POLLUX_ABI_VERSION,
    nullptr,
    [](void*, int32_t chunks, void (*work)(void*, int32_t), void* argument) {
      worker_pool().parallel(chunks, work, argument);
    },
    [](void*) { return worker_pool().threads(); },
};

/// "cuda:1" -> "cuda", 1. False if the index is no number.
bool split(const std::string& name, std::string* backend, int32_t* index) {
  const size_t colon = name.find(':');
  *backend = name.substr(0, colon);
  *index = 0;
  if (colon == std::string::npos) return true;
  const std::string digits = name.substr(colon + 1);
  if (digits.empty() || digits.size() > 4 || digits.find_first_not_of("0123456789") != std::string::npos) return false;
  *index = std::stoi(digits);
  return true;
}

}  // namespace

Device::Device(std::string name, const PolluxBackend* backend, PolluxDevice* handle)
    : name_(std::move(name)),
      backend_(backend),
      handle_(handle),
      host_memory_(backend->describe(handle)->features & POLLUX_HOST_MEMORY),
      executor_(host_memory_) {}

Device* Device::open(const std::string& folder, const std::string& name, std::string* error) {
  const std::lock_guard lock(registry().mutex);
  if (const auto found = registry().devices.find(name); found != registry().devices.end()) return found->second;
  std::string prefix = "The device '" + name + "' is not available: ";
  std::string library, reason;
  int32_t index;
  if (!split(name, &library, &index)) {
    *error = prefix + "its number must follow the colon, as in cuda:1.";
    return nullptr;
  }
  const PolluxBackend* backend = open_backend(folder, library, &reason);
  if (!backend) {
    *error = prefix + reason + ".";
    return nullptr;
  }
  char text[512] = "";
  const int32_t count = backend->device_count(text, sizeof text);
  if (index >= count) {
    *error = prefix + (count > 0 ? "there are " + std::to_string(count) + " of its kind, numbered from 0." : text);
    return nullptr;
  }
  PolluxDevice* handle = nullptr;
  if (backend->open(&host, index, &handle, text, sizeof text) != POLLUX_SUCCESS || !handle) {
    *error = prefix + text;
    return nullptr;
  }
  return registry().devices.emplace(name, new Device(name, backend, handle)).first->second;
}

std::vector<Device*> Device::opened() {
  const std::lock_guard lock(registry().mutex);
  std::vector<Device*> devices;
  for (const auto& [name, device] : registry().devices) devices.push_back(device);
  return devices;
}

bool Device::has_kernel(const char* kernel) const {
  const PolluxDescription& table = description();
  for (int32_t i = 0; i < table.kernel_count; ++i)
    if (std::strcmp(table.kernels[i].name, kernel) == 0) return true;
  return false;
}

void* Device::allocate(uint64_t bytes) {
  constexpr uint64_t largest = uint64_t{1} << 47;  // more than any address space
  void* memory = bytes > largest ? nullptr : backend_->allocate(handle_, bytes ? bytes : 1);
  if (!memory) return nullptr;
  const uint64_t live = live_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  uint64_t peak = peak_.load(std::memory_order_relaxed);
  while (live > peak && !peak_.compare_exchange_weak(peak, live, std::memory_order_relaxed)) {
  }
  return memory;
}

void Device::release(void* memory, uint64_t bytes) {
  if (!memory) return;
  backend_->release(handle_, memory, bytes ? bytes : 1);
  live_.fetch_sub(bytes, std::memory_order_relaxed);
}

void Device::resize(Arena* arena, uint64_t bytes) {
  release(arena->memory, arena->bytes);
  arena_total_.fetch_sub(arena->bytes, std::memory_order_relaxed);
  *arena = {};
  if (bytes == 0) return;
  arena->memory = allocate(bytes);
  if (!arena->memory) return;
  arena->bytes = bytes;
  arena_total_.fetch_add(bytes, std::memory_order_relaxed);
}

void* Device::arena(uint64_t bytes, bool nested) {
  Arena& arena = arenas_[nested];
  if (arena.bytes < bytes || !arena.memory) resize(&arena, bytes);
  return arena.memory;
}

void Device::remove_need(uint64_t bytes) {
  needs_.erase(needs_.find(bytes));
  const uint64_t largest = needs_.empty() ? 0 : *needs_.rbegin();
  for (Arena& arena : arenas_)
    if (arena.bytes > largest) resize(&arena, 0);
}

bool Device::synchronize(std::string* error) {
  char text[512] = "the device gave no reason";
  if (backend_->synchronize(handle_, text, sizeof text) == POLLUX_SUCCESS) return true;
  *error = "The device '" + name_ + "' failed: " + text + ".";
  return false;
}

std::shared_ptr<Buffer> Buffer::allocate(Device* device, uint64_t bytes) {
  void* memory = device->allocate(bytes);
  return memory ? std::shared_ptr<Buffer>(new Buffer(device, memory, bytes)) : nullptr;
}

uint64_t share_buffer(std::shared_ptr<Buffer> buffer) {
  const std::lock_guard lock(registry().mutex);
  const uint64_t id = registry().next_share++;
  registry().shared.emplace(id, std::move(buffer));
  return id;
}

std::shared_ptr<Buffer> claim_buffer(uint64_t id) {
  const std::lock_guard lock(registry().mutex);
  const auto found = registry().shared.find(id);
  if (found == registry().shared.end()) return nullptr;
  std::shared_ptr<Buffer> buffer = std::move(found->second);
  registry().shared.erase(found);
  return buffer;
}

}  // namespace pollux
