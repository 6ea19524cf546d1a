#pragma once

#include <cstddef>
#include <string>
#include <string_view>

/// Foreign text made fit for an error message: short, valid UTF-8, one line.
namespace flashbias::codegen {

/// Bytes of the character that a text starts with: of a UTF-8 sequence, or 1 for a byte that starts none.
[[nodiscard]] std::size_t character_length(std::string_view text);

/// Characters of a text; a byte that is no UTF-8 counts as one.
[[nodiscard]] std::size_t count_characters(std::string_view text);

/// The text with tabs and ends of lines as spaces, other control characters and bytes that are no UTF-8 as `\x1b`.
[[nodiscard]] std::string printable(std::string_view text);

/// The printable text, cut after so many bytes where it is longer, with `...` to show it.
[[nodiscard]] std::string excerpt(std::string_view text, std::size_t most = 160);

}  // namespace flashbias::codegen
