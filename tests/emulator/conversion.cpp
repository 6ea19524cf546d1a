#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "tests/emulator/address.hpp"
#include "tests/emulator/half.hpp"
#include "tests/emulator/operations.hpp"
#include "tests/emulator/scalar.hpp"

namespace flashbias::emulator {
namespace {

/// mov also packs `{a, b}` into one register and takes one apart.
Operation move(const Opcode& opcode) {
  if (opcode.type() == "pred") return lane_by_lane<bool>([](bool a) { return a; });
  const std::string type(opcode.type());
  const unsigned bits = static_cast<unsigned>(std::stoul(type.substr(1)));
  return [bits](Warp& warp, const Instruction& instruction, Mask lanes) {
    const auto& to = instruction.operands[0].values;
    const auto& from = instruction.operands[1].values;
    const Word mask = bits == 64 ? ~Word{0} : (Word{1} << bits) - 1;
    for_each_lane(lanes, [&](int lane) {
      const unsigned from_bits = bits / static_cast<unsigned>(from.size());
      const Word from_mask = from.size() == 1 ? mask : (Word{1} << from_bits) - 1;
      Word word = 0;
      for (std::size_t i = 0; i < from.size(); ++i) word |= (warp.get(from[i], lane) & from_mask) << (i * from_bits);
      word += static_cast<Word>(instruction.operands[1].offset);
      if (to.size() == 1) {
        warp.set(to.front(), lane, word & mask);
        return;
      }
      const unsigned to_bits = bits / static_cast<unsigned>(to.size());
      for (std::size_t i = 0; i < to.size(); ++i)
        warp.set(to[i], lane, word >> (i * to_bits) & ((Word{1} << to_bits) - 1));
    });
  };
}

/// cvta: between generic addresses and those of a space.
Operation address_conversion(const Opcode& opcode) {
  Word window = 0;
  if (opcode.has("shared"))
    window = kSharedWindow;
  else if (opcode.has("local"))
    window = kLocalWindow;
  else if (opcode.has("param"))
    window = kParameterWindow;
  else if (!opcode.has("global"))
    return {};
  if (opcode.has("to")) return lane_by_lane<Word>([=](Word address) { return address & ~window; });
  return lane_by_lane<Word>([=](Word address) { return address | window; });
}

/// Rounds as told and saturates, NaN to 0, as the hardware does.
template <typename To>
To integer_of(float number, std::string_view rounding) {
  if (std::isnan(number)) return 0;
  double rounded = number;
  if (rounding == "rzi") rounded = std::trunc(rounded);
  if (rounding == "rni") rounded = std::nearbyint(rounded);
  if (rounding == "rmi") rounded = std::floor(rounded);
  if (rounding == "rpi") rounded = std::ceil(rounded);
  constexpr To kLowest = std::numeric_limits<To>::lowest();
  constexpr To kLargest = std::numeric_limits<To>::max();
  if (rounded <= static_cast<double>(kLowest)) return kLowest;
  if (rounded >= static_cast<double>(kLargest)) return kLargest;
  return static_cast<To>(rounded);
}

/// Two floats become one register of 16-bit halves; the first lies in the high one.
Operation pack(bool is_bf16) {
  return lane_by_lane<float, float>([=](float high, float low) {
    const auto bits = [=](float x) { return std::uint32_t{is_bf16 ? bf16_of(x) : f16_of(x)}; };
    return bits(high) << 16 | bits(low);
  });
}

Operation type_conversion(const Opcode& opcode) {
  if (opcode.modifiers.size() < 2) return {};
  const std::string_view from = opcode.type();
  const std::string_view to = opcode.modifiers[opcode.modifiers.size() - 2];
  const std::string rounding(opcode.modifiers.front());
  if (from == "f32" && (to == "f16x2" || to == "bf16x2")) return pack(to == "bf16x2");
  if (from == "f32" && to == "f16") return lane_by_lane<float>(f16_of);
  if (from == "f32" && to == "bf16") return lane_by_lane<float>(bf16_of);
  if (from == "f16" && to == "f32") return lane_by_lane<std::uint16_t>(float_of_f16);
  if (from == "bf16" && to == "f32") return lane_by_lane<std::uint16_t>(float_of_bf16);
  // ceil, floor, round and trunc
  if (from == "f32" && to == "f32") {
    if (rounding == "rzi") return lane_by_lane<float>([](float x) { return std::trunc(x); });
    if (rounding == "rni") return lane_by_lane<float>([](float x) { return std::nearbyint(x); });
    if (rounding == "rmi") return lane_by_lane<float>([](float x) { return std::floor(x); });
    if (rounding == "rpi") return lane_by_lane<float>([](float x) { return std::ceil(x); });
    if (opcode.has("sat")) return lane_by_lane<float>([](float x) { return std::clamp(x, 0.0F, 1.0F); });
    return {};
  }
  if (from == "f32")
    return for_integer(to, [&]<typename To>(Type<To>) {
      return lane_by_lane<float>([rounding](float x) { return integer_of<To>(x, rounding); });
    });
  if (to == "f32")
    return for_integer(from, []<typename From>(Type<From>) {
      return lane_by_lane<From>([](From x) { return static_cast<float>(x); });
    });
  const auto convert = [&]<typename From>(Type<From>) {
    if (to == "u8") return lane_by_lane<From>([](From x) { return static_cast<std::uint8_t>(x); });
    if (to == "s8") return lane_by_lane<From>([](From x) { return static_cast<std::int8_t>(x); });
    return for_integer(
        to, []<typename To>(Type<To>) { return lane_by_lane<From>([](From x) { return static_cast<To>(x); }); });
  };
  if (from == "u8") return convert(Type<std::uint8_t>{});
  if (from == "s8") return convert(Type<std::int8_t>{});
  return for_integer(from, convert);
}

}  // namespace

Operation conversion(const Opcode& opcode) {
  if (opcode.name == "mov") return move(opcode);
  if (opcode.name == "cvta") return address_conversion(opcode);
  if (opcode.name == "cvt") return type_conversion(opcode);
  return {};
}

}  // namespace flashbias::emulator
