#include "backend_library.h"

#include <dlfcn.h>

#include <map>
#include <mutex>

namespace pollux {

const PolluxBackend* open_backend(const std::string& folder, const std::string& name, std::string* error) {
  static std::mutex mutex;
  static auto* opened = new std::map<std::string, const PolluxBackend*>;
  if (name.empty() || name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != std::string::npos) {
    *error = "there is no device of this name; use cpu, cuda or cuda:N";
    return nullptr;
  }
  const std::string path = folder + "/libpollux_" + name + ".so";
  const std::lock_guard lock(mutex);
  if (const auto found = opened->find(path); found != opened->end()) return found->second;
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char* reason = dlerror();
    *error = std::string("its library could not be loaded (") + (reason ? reason : path) +
             "); build it with `npm run " + (name == "cuda" ? "build:cuda" : "setup") +
             "`, or point POLLUX_NATIVE_PATH to the folder that holds it";
    return nullptr;
  }
  const auto entry = reinterpret_cast<const PolluxBackend* (*)()>(dlsym(library, "pollux_backend"));
  const PolluxBackend* backend = entry ? entry() : nullptr;
  if (!backend || backend->abi_version != POLLUX_ABI_VERSION) {
    *error = path +
             (backend ? " speaks version " + std::to_string(backend->abi_version) +
                            " of the backend interface, this build version " + std::to_string(POLLUX_ABI_VERSION)
                      : std::string(" is no backend: it lacks pollux_backend()")) +
             "; rebuild it";
    return nullptr;
  }
  return opened->emplace(path, backend).first->second;
}

}  // namespace pollux
