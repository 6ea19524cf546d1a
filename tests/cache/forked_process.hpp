#pragma once

#include <doctest/doctest.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace flashbias::testing {

/// Runs the action in a forked process, which ends with status 0 where it gives true.
inline pid_t fork_process(const std::function<bool()>& action) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child != 0) return child;
  bool succeeded = false;
  try {
    succeeded = action();
  } catch (...) {
    succeeded = false;
  }
  _exit(succeeded ? 0 : 1);
}

inline bool ends_well(pid_t child) {
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace flashbias::testing
