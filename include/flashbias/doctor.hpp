#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "flashbias/types.hpp"

/// What flashbias found on this machine, and where. In every part an empty `problem` means that it serves.
namespace flashbias::doctor {

struct Compiler {
  std::filesystem::path path;        ///< of the NVRTC that is used
  std::string version;               ///< with its build, as it enters cache keys
  std::vector<int> supported_archs;  ///< compute capabilities, as major * 10 + minor
  std::string problem;               ///< where NVRTC was looked for and how to install it
};

struct Driver {
  std::filesystem::path path;
  std::string version;  ///< the newest CUDA that it supports: `13.0`
  std::string problem;
};

struct Device {
  int ordinal = 0;
  std::string name;
  int major = 0;  ///< of the compute capability
  int minor = 0;
  std::optional<Arch> arch;  ///< what kernels for it are compiled for
  std::string problem;       ///< why there are none
};

struct Cache {
  std::filesystem::path directory;
  std::size_t entries = 0;
  std::uintmax_t bytes = 0;
  std::string problem;  ///< why it cannot be read or written
};

struct Formatter {
  std::string problem;  ///< why sources are shown unformatted
};

struct Report {
  Compiler compiler;
  Driver driver;
  std::vector<Device> devices;
  Cache cache;
  Formatter formatter;
};

/// Looks at everything; throws nothing but std::bad_alloc. cache_directory: absent for the default one.
[[nodiscard]] Report examine(const std::optional<std::filesystem::path>& cache_directory = std::nullopt);

/// For people: a line or paragraph a part.
[[nodiscard]] std::string to_string(const Report& report);
/// The same fields under the same names.
[[nodiscard]] std::string to_json(const Report& report);

}  // namespace flashbias::doctor
