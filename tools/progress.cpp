#include "tools/progress.hpp"

#include <fmt/format.h>
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
  const auto filled = kWidth * done_ / total_;
  const std::string text = terminal_ ? fmt::format("\r\033[K{} [{}{}] {}: {}", task_, std::string(filled, '#'),
                                                   std::string(kWidth - filled, '.'), state(), what)
                                     : fmt::format("{} {}: {}\n", task_, state(), what);
  std::fputs(text.c_str(), stderr);  // fmt::print would throw where it cannot be written, on a thread that works
  std::fflush(stderr);
}

std::string Progress::state() const {
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
  const double rate = static_cast<double>(done_) / elapsed.count();
  return fmt::format("{}/{}, {:.1f}/s, {:.0f} s left", done_, total_, rate, static_cast<double>(total_ - done_) / rate);
}

}  // namespace flashbias::tools
