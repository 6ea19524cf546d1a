#pragma once

#include "tests/emulator/module.hpp"

/// Generic addresses: those of global memory are the host's; the other spaces have windows where the host has nothing.
namespace flashbias::emulator {

inline constexpr Word kSharedWindow = Word{1} << 60;
inline constexpr Word kLocalWindow = Word{2} << 60;
inline constexpr Word kParameterWindow = Word{3} << 60;
inline constexpr Word kWindowMask = Word{7} << 60;

enum class Space : std::uint8_t { generic, global, shared, local, parameter };

}  // namespace flashbias::emulator
