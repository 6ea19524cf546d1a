#include "flashbias/types.hpp"

#include <fmt/format.h>

#include <array>

#include "codegen/excerpt.hpp"
#include "flashbias/error.hpp"

namespace flashbias {
namespace {

struct DTypeInfo {
  std::string_view name;
  int bytes;
};

/// In the order of DType.
constexpr std::array<DTypeInfo, 5> kDTypes{{{"f16", 2}, {"bf16", 2}, {"f32", 4}, {"i32", 4}, {"u8", 1}}};

std::string supported_names() {
  std::string names;
  for (const Arch arch : supported_archs()) names += (names.empty() ? "" : ", ") + to_string(arch);
  return names;
}

}  // namespace

std::string_view to_string(DType dtype) noexcept { return kDTypes[static_cast<std::size_t>(dtype)].name; }

int size_of(DType dtype) noexcept { return kDTypes[static_cast<std::size_t>(dtype)].bytes; }

DType parse_dtype(std::string_view text) {
  for (std::size_t index = 0; index < kDTypes.size(); ++index) {
    if (kDTypes[index].name == text) return static_cast<DType>(index);
  }
  throw Error(ErrorCode::parse,
              fmt::format("unknown dtype '{}'; expected f16, bf16, f32, i32 or u8", codegen::excerpt(text)));
}

std::string_view to_string(Direction direction) noexcept {
  return direction == Direction::forward ? "forward" : "backward";
}

Direction parse_direction(std::string_view text) {
  if (text == "forward") return Direction::forward;
  if (text == "backward") return Direction::backward;
  throw Error(ErrorCode::parse,
              fmt::format("unknown direction '{}'; expected forward or backward", codegen::excerpt(text)));
}

std::string to_string(Arch arch) {
  if (arch.is_current_device()) return "current";
  return fmt::format("sm_{}{}", arch.compute_capability, arch.compute_capability == 90 ? "a" : "");
}

Arch parse_arch(std::string_view text) {
  if (text == "current") return {};
  for (const Arch arch : supported_archs()) {
    if (text == to_string(arch) || text == fmt::format("sm_{}", arch.compute_capability)) return arch;
  }
  throw Error(ErrorCode::unsupported_device, fmt::format("unknown architecture '{}'; expected one of {}, or current",
                                                         codegen::excerpt(text), supported_names()));
}

Arch arch_of_device(int major, int minor) {
  if (major < 8) {
    throw Error(
        ErrorCode::unsupported_device,
        fmt::format("the GPU has compute capability {}.{}; flashbias needs 8.0 (Ampere) or newer", major, minor));
  }
  // A cubin runs on devices of its major version whose minor version is its own or higher.
  Arch best;
  for (const Arch arch : supported_archs()) {
    const bool runs = arch.compute_capability / 10 == major && arch.compute_capability % 10 <= minor;
    if (runs && arch.compute_capability > best.compute_capability) best = arch;
  }
  if (best.is_current_device()) {
    throw Error(ErrorCode::unsupported_device,
                fmt::format("the GPU has compute capability {}.{}, for which flashbias generates no code; it does for "
                            "{}",
                            major, minor, supported_names()));
  }
  return best;
}

const std::vector<Arch>& supported_archs() {
  static const std::vector<Arch> archs{{80}, {86}, {89}, {90}, {100}, {120}};
  return archs;
}

}  // namespace flashbias
