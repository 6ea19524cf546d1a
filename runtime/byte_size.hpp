#pragma once

#include <cstdint>
#include <string_view>

namespace flashbias::runtime {

/// `2GiB`, `512 MiB`, `64KiB` or bytes. Throws Error(parse) that names the text and what is accepted.
[[nodiscard]] std::uintmax_t parse_byte_size(std::string_view text);

}  // namespace flashbias::runtime
