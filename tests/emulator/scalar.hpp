#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

#include "tests/emulator/module.hpp"
#include "tests/emulator/thread_block.hpp"

/// Operations lane by lane from functions of C++ numbers.
namespace flashbias::emulator {

template <typename T>
T from_word(Word word) {
  if constexpr (std::is_same_v<T, float>)
    return std::bit_cast<float>(static_cast<std::uint32_t>(word));
  else if constexpr (std::is_same_v<T, double>)
    return std::bit_cast<double>(word);
  else if constexpr (std::is_same_v<T, bool>)
    return (word & 1U) != 0;
  else
    return static_cast<T>(word);
}

template <typename T>
Word to_word(T number) {
  if constexpr (std::is_same_v<T, float>)
    return std::bit_cast<std::uint32_t>(number);
  else if constexpr (std::is_same_v<T, double>)
    return std::bit_cast<Word>(number);
  else if constexpr (std::is_same_v<T, bool>)
    return number ? 1 : 0;
  else
    return static_cast<std::make_unsigned_t<T>>(number);
}

/// Where `[a+8]` is for a lane.
inline Word address_of(const Warp& warp, const Operand& operand, int lane) {
  return warp.get(operand.values.front(), lane) + static_cast<Word>(operand.offset);
}

/// The first operand becomes function(second, third, ...), with the operands read as `Inputs`.
template <typename... Inputs, typename Function>
Operation lane_by_lane(Function function) {
  return [function](Warp& warp, const Instruction& instruction, Mask lanes) {
    const auto& operands = instruction.operands;
    if (operands.size() < sizeof...(Inputs) + 1) throw Fault(warp.position() + ": too few operands");
    const auto apply = [&]<std::size_t... i>(std::index_sequence<i...>) {
      for_each_lane(lanes, [&](int lane) {
        const auto result = function(from_word<Inputs>(warp.get(operands[i + 1].values.front(), lane))...);
        warp.set(operands.front().values.front(), lane, to_word(result));
      });
    };
    apply(std::index_sequence_for<Inputs...>{});
  };
}

template <typename T>
struct Type {
  using type = T;
};

/// Calls `make` with the Type that PTX calls `name`; no operation for other names.
template <typename Make>
Operation for_integer(std::string_view name, Make make) {
  if (name == "s16") return make(Type<std::int16_t>{});
  if (name == "s32") return make(Type<std::int32_t>{});
  if (name == "s64") return make(Type<std::int64_t>{});
  if (name == "u16" || name == "b16") return make(Type<std::uint16_t>{});
  if (name == "u32" || name == "b32") return make(Type<std::uint32_t>{});
  if (name == "u64" || name == "b64") return make(Type<std::uint64_t>{});
  return {};
}

template <typename Make>
Operation for_float(std::string_view name, Make make) {
  if (name == "f32") return make(Type<float>{});
  if (name == "f64") return make(Type<double>{});
  return {};
}

template <typename Make>
Operation for_number(std::string_view name, Make make) {
  if (Operation operation = for_integer(name, make)) return operation;
  return for_float(name, make);
}

}  // namespace flashbias::emulator
