#include "tests/tools/command.hpp"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace flashbias::testing {
namespace {

std::filesystem::path fresh_directory() {
  const auto directory = std::filesystem::temp_directory_path() / fmt::format("flashbias_command_{}", getpid());
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  return directory;
}

struct Scratch {
  std::filesystem::path directory = fresh_directory();
  ~Scratch() { std::filesystem::remove_all(directory); }
};

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::string scratch_path(const std::string& name) {
  static const Scratch scratch;
  return (scratch.directory / name).string();
}

CommandResult run_command(const std::string& arguments, const std::string& environment) {
  const auto out = scratch_path("stdout");
  const auto error = scratch_path("stderr");
  const auto line =
      fmt::format("FLASHBIAS_CACHE_DIR='{}' FLASHBIAS_LIBCUDA=/nonexistent/libcuda.so.1 {} '{}' {} > '{}' 2> '{}'",
                  scratch_path("cache"), environment, FLASHBIAS_COMMAND, arguments, out, error);
  const int status = std::system(line.c_str());
  return {.status = WEXITSTATUS(status), .out = read(out), .error = read(error)};
}

}  // namespace flashbias::testing
