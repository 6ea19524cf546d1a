#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace flashbias {

/// Element types. q, k, v and the output are f16 or bf16; bias inputs may be any of these.
enum class DType : std::uint8_t { f16, bf16, f32, i32, u8 };

[[nodiscard]] std::string_view to_string(DType dtype) noexcept;
/// Throws Error(parse) naming the text and the accepted names.
[[nodiscard]] DType parse_dtype(std::string_view text);
/// Bytes per element.
[[nodiscard]] int size_of(DType dtype) noexcept;

enum class Direction : std::uint8_t {
  forward,
  backward,  ///< gradients of q, k, v and of what the bias reads
};

[[nodiscard]] std::string_view to_string(Direction direction) noexcept;
[[nodiscard]] Direction parse_direction(std::string_view text);

/// A GPU architecture that flashbias generates code for, as NVRTC's `-arch` spells it (`sm_90a`).
struct Arch {
  int compute_capability = 0;  ///< major * 10 + minor; 0 stands for "the current device"

  [[nodiscard]] bool is_current_device() const noexcept { return compute_capability == 0; }
  friend bool operator==(const Arch&, const Arch&) = default;
};

/// `sm_80`, `sm_86`, `sm_89`, `sm_90a`, `sm_100`, `sm_120`; `current` for the default.
[[nodiscard]] std::string to_string(Arch arch);
/// Accepts what to_string prints, and `sm_90` for `sm_90a`. Throws Error(unsupported_device) for others.
[[nodiscard]] Arch parse_arch(std::string_view text);
/// The architecture whose cubins run on a device of this compute capability.
/// Throws Error(unsupported_device) for a GPU older than Ampere.
[[nodiscard]] Arch arch_of_device(int major, int minor);
[[nodiscard]] const std::vector<Arch>& supported_archs();

}  // namespace flashbias
