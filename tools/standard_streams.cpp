#include "tools/standard_streams.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>

namespace flashbias::tools {

void open_standard_streams() noexcept {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(stream, F_GETFD) >= 0) continue;
    // The lowest free number, so this one's. Read-only: what is written there fails, as it did while it was closed.
    (void)open("/dev/null", O_RDONLY);
  }
}

void complain(std::string_view text) noexcept {
  (void)std::fprintf(stderr, "flashbias: %.*s\n", static_cast<int>(text.size()), text.data());
}

bool finish_output(std::error_code earlier) noexcept {
  const bool flushed = std::fflush(stdout) == 0;
  const std::error_code problem = flushed ? earlier : std::error_code(errno, std::generic_category());
  if (flushed && std::ferror(stdout) == 0) return true;
  if (problem == std::errc::broken_pipe) return false;
  complain("error: cannot write to standard output: " + (problem ? problem.message() : "it failed"));
  return false;
}

}  // namespace flashbias::tools
