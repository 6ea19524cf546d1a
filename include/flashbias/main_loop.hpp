#pragma once

#include <cstdint>
#include <string_view>

namespace flashbias {

/// The loop over tokens around which a kernel is written.
enum class MainLoop : std::uint8_t {
  portable,  ///< mma.sync and cp.async: every architecture, every config
  hopper,    ///< wgmma fed by the copy engine, with warpgroups specialised: sm_90a
};

/// `portable`, `hopper`.
[[nodiscard]] std::string_view to_string(MainLoop main_loop) noexcept;
/// Accepts what to_string gives. Throws Error(parse) naming the text and the accepted names.
[[nodiscard]] MainLoop parse_main_loop(std::string_view text);

}  // namespace flashbias
