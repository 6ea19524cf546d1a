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
    fmt::print(stderr, "{} {}: {}\n", task_, state(), what);
    return;
  }
  const auto filled = kWidth * done_ / total_;
  fmt::print(stderr, "\r\033[K{} [{}{}] {}: {}", task_, std::string(filled, '#'), std::string(kWidth - filled, '.'),
             state(), what);
  std::fflush(stderr);
}

std::string Progress::state() const {
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
  const double rate = static_cast<double>(done_) / elapsed.count();
  return fmt::format("{}/{}, {:.1f}/s, {:.0f} s left", done_, total_, rate, static_cast<double>(total_ - done_) / rate);
}

}  // namespace flashbias::tools
