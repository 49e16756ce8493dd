// Opening a twin: one shared library behind backend.h, found beside the addon.
#pragma once
#include <string>

#include "../backend.h"

namespace pollux {

/// The backend of `libpollux_<name>.so` in `folder`; opened once for the process and never closed. Null with the reason
/// and the remedy in `error`.
const PolluxBackend* open_backend(const std::string& folder, const std::string& name, std::string* error);

}  // namespace pollux
