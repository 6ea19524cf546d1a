#pragma once

#include <stdexcept>
#include <string>

namespace flashbias {

/// What kind of thing went wrong; the message says which value, what was expected and the remedy.
enum class ErrorCode {
  invalid_config,      ///< a config, plan option or bias expression that no kernel can serve
  invalid_argument,    ///< a tensor or scalar given to a launch that does not fit the kernel
  parse,               ///< text (config, expression, manifest) that does not parse
  unsupported_device,  ///< a GPU or architecture that flashbias has no kernel for
  compiler_missing,    ///< NVRTC is needed and was not found
  driver_missing,      ///< the CUDA driver is needed and was not found
  compile_failed,      ///< NVRTC rejected the source; the message holds its log
  not_precompiled,     ///< compiling is off, and no pack or cache holds the kernel
  cuda,                ///< a CUDA driver call failed
  cache,               ///< the cache directory or an entry cannot be used
  io,                  ///< a file cannot be read or written
};

/// Every error that flashbias throws.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  [[nodiscard]] ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace flashbias
