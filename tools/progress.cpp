#include "tools/progress.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>
#include <string>

namespace flashbias::tools {

Progress::Progress(std::string_view task, std::size_t total)
    : task_(task), total_(total), terminal_(isatty(STDERR_FILENO) != 0) {}

Progress::~Progress() {
  constexpr const char* kEraseLine = "\r\033[K";
  if (terminal_) std::fputs(kEraseLine, stderr);
}

void Progress::advance(std::string_view what) {
  constexpr std::size_t kWidth = 30;
  ++done_;
  if (!terminal_) {
    fmt::print(stderr, "{} {}/{}: {}\n", task_, done_, total_, what);
    return;
  }
  const auto filled = kWidth * done_ / total_;
  fmt::print(stderr, "\r\033[K{} [{}{}] {}/{}, {:.0f} s left: {}", task_, std::string(filled, '#'),
             std::string(kWidth - filled, '.'), done_, total_, seconds_left(), what);
  std::fflush(stderr);
}

double Progress::seconds_left() const {
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
  return elapsed.count() / static_cast<double>(done_) * static_cast<double>(total_ - done_);
}

}  // namespace flashbias::tools
