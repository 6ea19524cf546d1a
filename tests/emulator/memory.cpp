#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>

#include "tests/emulator/address.hpp"
#include "tests/emulator/operations.hpp"
#include "tests/emulator/scalar.hpp"

namespace flashbias::emulator {
namespace {

Space space_of(const Opcode& opcode) {
  if (opcode.has("shared") || opcode.has("shared::cta")) return Space::shared;
  if (opcode.has("global")) return Space::global;
  if (opcode.has("local")) return Space::local;
  if (opcode.has("param")) return Space::parameter;
  return Space::generic;
}

bool is_signed(std::string_view type) { return type.starts_with('s'); }

Operation load(const Opcode& opcode) {
  const Space space = space_of(opcode);
  const std::size_t size = size_of_type(opcode.type());
  const bool extends_sign = is_signed(opcode.type());
  return [=](Warp& warp, const Instruction& instruction, Mask lanes) {
    const auto& to = instruction.operands[0].values;
    for_each_lane(lanes, [&](int lane) {
      const std::byte* from =
          warp.resolve(space, address_of(warp, instruction.operands[1], lane), size * to.size(), lane, Access::read);
      for (std::size_t i = 0; i < to.size(); ++i) {
        Word word = 0;
        std::memcpy(&word, from + i * size, size);
        const unsigned spare = 64 - 8 * static_cast<unsigned>(size);
        // Into a register of up to 32 bits: what is above them is not looked at.
        if (extends_sign) word = static_cast<Word>(static_cast<std::int64_t>(word << spare) >> spare);
        warp.set(to[i], lane, word);
      }
    });
  };
}

Operation store(const Opcode& opcode) {
  const Space space = space_of(opcode);
  const std::size_t size = size_of_type(opcode.type());
  return [=](Warp& warp, const Instruction& instruction, Mask lanes) {
    const auto& from = instruction.operands[1].values;
    for_each_lane(lanes, [&](int lane) {
      std::byte* to =
          warp.resolve(space, address_of(warp, instruction.operands[0], lane), size * from.size(), lane, Access::write);
      for (std::size_t i = 0; i < from.size(); ++i) {
        const Word word = warp.get(from[i], lane);
        std::memcpy(to + i * size, &word, size);
      }
    });
  };
}

/// Blocks run at once on several cores: what they share is changed atomically.
template <typename T, class Change>
T exchange(std::byte* address, const Change& change, T operand) {
  std::atomic_ref<T> cell(*reinterpret_cast<T*>(address));
  T before = cell.load();
  while (!cell.compare_exchange_weak(before, static_cast<T>(change(before, operand)))) {
  }
  return before;
}

/// atom and red: for the race detector like a read, since two of them are no race.
template <typename T, class Change>
Operation atomic(const Opcode& opcode, const Change& change) {
  return [space = space_of(opcode), returns = opcode.name == "atom", change](Warp& warp, const Instruction& instruction,
                                                                             Mask lanes) {
    const std::size_t first = returns ? 1 : 0;
    const auto& values = instruction.operands[first + 1].values;
    for_each_lane(lanes, [&](int lane) {
      std::byte* to = warp.resolve(space, address_of(warp, instruction.operands[first], lane),
                                   sizeof(T) * values.size(), lane, Access::read);
      for (std::size_t i = 0; i < values.size(); ++i) {
        const T before = exchange<T>(to + i * sizeof(T), change, from_word<T>(warp.get(values[i], lane)));
        if (returns) warp.set(instruction.operands[0].values[i], lane, to_word(before));
      }
    });
  };
}

Operation atomic_change(const Opcode& opcode) {
  if (opcode.has("add"))
    return for_number(opcode.type(), [&]<typename T>(Type<T>) { return atomic<T>(opcode, std::plus<>()); });
  if (opcode.has("or") && opcode.type() == "b64") return atomic<std::uint64_t>(opcode, std::bit_or<>());
  return {};
}

}  // namespace

Operation memory_access(const Opcode& opcode) {
  if (opcode.name == "ld" || opcode.name == "ldu") return load(opcode);
  if (opcode.name == "st") return store(opcode);
  if (opcode.name == "atom" || opcode.name == "red") return atomic_change(opcode);
  return {};
}

}  // namespace flashbias::emulator
