// The CUDA twin's face towards the runtime. It loads on any machine and tells what stands in the way of running: no
// driver, a driver that is too old, no device. It has no kernels yet, so it offers no device even where there is a GPU.
#include <cuda_runtime_api.h>

#include <cstdio>

#include "backend.h"

namespace pollux::cuda {
namespace {

/* CUDA writes versions as 1000 * major + 10 * minor. */
int major_of(int version) {
  return version / 1000;
}
int minor_of(int version) {
  return version % 1000 / 10;
}

void explain_missing_driver(char* reason, size_t size) {
  std::snprintf(
      reason, size,
      "No NVIDIA driver was found (libcuda.so.1 is not installed). Install the driver of your GPU; CUDA %d.%d "
      "needs no toolkit.",
      major_of(CUDART_VERSION), minor_of(CUDART_VERSION));
}

void explain_old_driver(char* reason, size_t size, int driver) {
  std::snprintf(reason, size,
                "The NVIDIA driver supports CUDA %d.%d, and this build needs %d.%d or later. Update the driver.",
                major_of(driver), minor_of(driver), major_of(CUDART_VERSION), minor_of(CUDART_VERSION));
}

int32_t device_count(char* reason, size_t reason_size) {
  int driver = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
    explain_missing_driver(reason, reason_size);
    return 0;
  }
  int count = 0;
  const cudaError_t result = cudaGetDeviceCount(&count);
  if (result == cudaErrorInsufficientDriver) {
    explain_old_driver(reason, reason_size, driver);
  } else if (result == cudaErrorNoDevice || (result == cudaSuccess && count == 0)) {
    std::snprintf(reason, reason_size, "The NVIDIA driver is installed but shows no GPU. Is CUDA_VISIBLE_DEVICES set?");
  } else if (result != cudaSuccess) {
    std::snprintf(reason, reason_size, "The CUDA runtime failed: %s (%s).", cudaGetErrorName(result),
                  cudaGetErrorString(result));
  } else {
    std::snprintf(reason, reason_size, "%d GPU%s found, but this version has no CUDA kernels. Use the device 'cpu'.",
                  count, count == 1 ? " was" : "s were");
  }
  return 0;
}

PolluxResult open(const PolluxHost*, int32_t, PolluxDevice**, char* error, size_t error_size) {
  device_count(error, error_size);
  return POLLUX_NO_DEVICE;
}

/* No device can be opened, so nothing below `open` is ever called. */
constexpr PolluxBackend backend = {.abi_version = POLLUX_ABI_VERSION, .device_count = device_count, .open = open};

}  // namespace
}  // namespace pollux::cuda

const PolluxBackend* pollux_backend(void) {
  return &pollux::cuda::backend;
}
