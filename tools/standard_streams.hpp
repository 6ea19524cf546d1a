#pragma once

#include <string_view>
#include <system_error>

/// stdin, stdout and stderr, which may be closed, full or a broken pipe.
namespace flashbias::tools {

/// Puts /dev/null in the place of those that are closed: else the next file that is opened would take their number, and
/// get what is printed. What is printed to a closed stdout still counts as lost.
void open_standard_streams() noexcept;

/// Prints `flashbias: TEXT` to stderr. Where that cannot be written, nobody is left to tell: nothing is thrown.
void complain(std::string_view text) noexcept;

/// Writes out what was printed. False where some of it is lost, which it says on stderr, but for a reader that has seen
/// enough and closed the pipe. `earlier`: why an earlier write failed, if one did.
[[nodiscard]] bool finish_output(std::error_code earlier = {}) noexcept;

}  // namespace flashbias::tools
