#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

/// A cubin that carries the PTX that it was made from, behind its own end, where no reader of ELF looks.
namespace flashbias::emulator {

[[nodiscard]] std::vector<std::byte> attach_ptx(std::span<const std::byte> cubin, std::string_view ptx);

/// Empty for a cubin without.
[[nodiscard]] std::string_view attached_ptx(const void* cubin);

}  // namespace flashbias::emulator
