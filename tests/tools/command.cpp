#include "tests/tools/command.hpp"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "tests/file_text.hpp"

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
  return {.status = WEXITSTATUS(status), .out = file_text(out), .error = file_text(error)};
}

}  // namespace flashbias::testing
