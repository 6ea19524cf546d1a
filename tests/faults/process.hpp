#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace flashbias::testing {

struct ProcessSetting {
  std::vector<std::string> variables{};     ///< `NAME=value`, for the faults of faulty_libc.cpp among others
  uid_t user = 0;                           ///< where it is not 0, that user
  std::optional<std::size_t> file_bytes{};  ///< where given, writing to a file beyond them fails: `File too large`
};

/// A worker (tests/faults/worker.cpp) in a process of its own; killed with the object if it still runs.
class Process {
 public:
  explicit Process(std::vector<std::string> arguments, const ProcessSetting& setting = {});
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  /// Waits for a line of its output.
  std::string read_line();
  /// Waits for its end; whether it ended with status 0.
  bool succeeds();
  /// Waits for its end; whether SIGKILL was the reason.
  bool is_killed();
  void kill();
  /// Waits until it stops (FAULT_STOP_AT) or ends; whether it stopped.
  bool is_stopped();
  void resume();

 private:
  int wait();

  pid_t id_ = -1;
  int output_ = -1;
  int status_ = 0;
};

}  // namespace flashbias::testing
