#include "runtime/environment.hpp"

#include <array>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string_view>

namespace flashbias::runtime {
namespace {

constexpr std::array kNames = {"FLASHBIAS_CACHE_DIR",
                               "FLASHBIAS_CACHE_SIZE",
                               "FLASHBIAS_PACKS",
                               "FLASHBIAS_COMPILE",
                               "FLASHBIAS_LOG",
                               "FLASHBIAS_NVRTC",
                               "FLASHBIAS_LIBCUDA",
                               "FLASHBIAS_FORMATTER",
                               "FLASHBIAS_PYTHON",
                               "XDG_CACHE_HOME",
                               "HOME",
                               "CUDA_HOME",
                               "CUDA_PATH",
                               "VIRTUAL_ENV",
                               "PATH"};

using Snapshot = std::map<std::string_view, std::optional<std::string>>;

Snapshot read_environment() {
  Snapshot snapshot;
  for (const char* name : kNames) {
    const char* value = std::getenv(name);
    const bool given = value != nullptr && *value != '\0';
    snapshot.emplace(name, given ? std::optional<std::string>(value) : std::nullopt);
  }
  return snapshot;
}

}  // namespace

std::optional<std::string> environment_variable(const char* name) {
  static const Snapshot snapshot = read_environment();
  const auto found = snapshot.find(name);
  if (found == snapshot.end()) throw std::logic_error(std::string(name) + " is not among the variables that are read");
  return found->second;
}

}  // namespace flashbias::runtime
