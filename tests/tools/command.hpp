#pragma once

#include <string>

namespace flashbias::testing {

struct CommandResult {
  int status = 0;
  std::string out;
  std::string error;
};

/// Runs `flashbias ARGUMENTS` through the shell, with a cache of its own and no GPU to be found. `environment`:
/// assignments before the command.
[[nodiscard]] CommandResult run_command(const std::string& arguments, const std::string& environment = "");

/// A file below the tests' own directory, which is emptied as the tests start.
[[nodiscard]] std::string scratch_path(const std::string& name);

}  // namespace flashbias::testing
