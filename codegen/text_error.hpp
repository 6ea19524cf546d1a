#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "flashbias/error.hpp"

namespace flashbias::codegen {

/// An error whose message points at a place in a text.
class TextError : public Error {
 public:
  /// `column 9: expected ')'`, then the line of the text with a caret below that column.
  TextError(ErrorCode code, std::string_view text, std::size_t offset, std::string_view message);
};

/// `; did you mean 'head_dim'?` for the known word nearest to a mistyped one, or nothing where none is near.
[[nodiscard]] std::string did_you_mean(std::string_view word, std::span<const std::string_view> known);

}  // namespace flashbias::codegen
