#pragma once

#include <unistd.h>

#include <cstdio>
#include <string>

namespace flashbias::testing {

/// Takes what is written to stderr while it lives.
class CapturedStderr {
 public:
  CapturedStderr() {
    std::fflush(stderr);
    dup2(fileno(file_), STDERR_FILENO);
  }
  ~CapturedStderr() {
    std::fflush(stderr);
    dup2(original_, STDERR_FILENO);
    close(original_);
    std::fclose(file_);
  }
  CapturedStderr(const CapturedStderr&) = delete;
  CapturedStderr& operator=(const CapturedStderr&) = delete;

  [[nodiscard]] std::string text() const {
    std::fflush(stderr);
    std::string text;
    std::rewind(file_);
    for (int character = std::fgetc(file_); character != EOF; character = std::fgetc(file_)) {
      text += static_cast<char>(character);
    }
    return text;
  }

 private:
  int original_ = dup(STDERR_FILENO);
  std::FILE* file_ = std::tmpfile();
};

}  // namespace flashbias::testing
