#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace flashbias::tools {

/// How far a long job is, on stderr: one line drawn over itself on a terminal, else a line a step.
class Progress {
 public:
  Progress(std::string_view task, std::size_t total);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  /// One more step is done: `what` names it.
  void advance(std::string_view what);

 private:
  [[nodiscard]] std::string state() const;  ///< `3/40, 2.1/s, 18 s left`

  std::string_view task_;
  std::size_t total_;
  std::size_t done_ = 0;
  bool terminal_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace flashbias::tools
