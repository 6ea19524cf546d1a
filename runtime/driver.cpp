#include "runtime/driver.hpp"

#include <fmt/format.h>

#include <memory>

#include "flashbias/error.hpp"
#include "runtime/once_opened.hpp"

namespace flashbias::runtime {

Driver Driver::open(const std::vector<Candidate>& candidates) {
  std::vector<Failure> failures;
  for (const auto& candidate : candidates) {
    try {
      return Driver(DynamicLibrary(candidate.name));
    } catch (const Error& error) {
      failures.push_back({candidate, error.what()});
    }
  }
  throw Error(ErrorCode::driver_missing,
              fmt::format("no CUDA driver to run the kernel with; tried\n{}Install NVIDIA's driver, 525 (CUDA 12.0) or "
                          "newer, or set FLASHBIAS_LIBCUDA to the path of libcuda.so.1.",
                          to_string(failures)));
}

const Driver& Driver::get() {
  static OnceOpened<Driver> driver;
  return driver.get([] {
    auto opened = std::make_unique<const Driver>(open(driver_candidates()));
    opened->check(opened->cuInit(0), "initialise the CUDA driver");
    return opened;
  });
}

void Driver::fail(CUresult result, std::string_view attempt) const {
  const char* name = nullptr;
  const char* text = nullptr;
  if (cuGetErrorName(result, &name) != CUDA_SUCCESS || cuGetErrorString(result, &text) != CUDA_SUCCESS) {
    throw Error(ErrorCode::cuda, fmt::format("could not {}: CUDA error {}", attempt, result));
  }
  throw Error(ErrorCode::cuda, fmt::format("could not {}: {} ({})", attempt, name, text));
}

}  // namespace flashbias::runtime
