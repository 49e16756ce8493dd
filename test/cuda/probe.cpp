// Opens a twin as the runtime does and prints what it says: ABI version, number of devices, reason, what open()
// answers.
#include <dlfcn.h>

#include <cstdio>

#include "../../native/backend.h"

int main(int count, char** arguments) {
  void* library = count == 2 ? dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL) : nullptr;
  if (!library) return std::fprintf(stderr, "%s\n", dlerror()), 1;
  const auto* backend = reinterpret_cast<decltype(&pollux_backend)>(dlsym(library, "pollux_backend"))();
  char reason[512] = "", error[512] = "";
  const int devices = backend->device_count(reason, sizeof reason);
  PolluxDevice* device = nullptr;
  const int opened = backend->open(nullptr, 0, &device, error, sizeof error);
  std::printf("%u\n%d\n%s\n%d\n%s\n", backend->abi_version, devices, reason, opened, error);
  return 0;
}
