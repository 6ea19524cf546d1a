#pragma once

#include <string>

#include "flashbias/error.hpp"

namespace flashbias::cache {

/// A system call that failed: tells a process without descriptors or memory from a file that is not as it should be.
class SystemError : public Error {
 public:
  SystemError(const std::string& message, int number) : Error(ErrorCode::cache, message), number_(number) {}
  [[nodiscard]] int number() const noexcept { return number_; }  ///< errno

 private:
  int number_;
};

}  // namespace flashbias::cache
