#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/emulator/module.hpp"

namespace flashbias::emulator {

/// `add.rn.f32`: its name, then its modifiers; the last is mostly the type.
struct Opcode {
  explicit Opcode(std::string_view text);

  std::string_view name;
  std::vector<std::string_view> modifiers;

  [[nodiscard]] std::string_view type() const { return modifiers.empty() ? "" : modifiers.back(); }
  [[nodiscard]] bool has(std::string_view modifier) const;
};

/// In bytes; of a predicate one.
[[nodiscard]] std::size_t size_of_type(std::string_view type);

/// Sets what the instruction does, by its opcode. Throws Fault for one that is not known.
void choose_operation(Instruction& instruction);

// The families of instructions; empty for those of other families.
[[nodiscard]] Operation arithmetic(const Opcode& opcode);
[[nodiscard]] Operation conversion(const Opcode& opcode);
[[nodiscard]] Operation memory_access(const Opcode& opcode);
[[nodiscard]] Operation asynchronous_copy(const Opcode& opcode);
[[nodiscard]] Operation between_lanes(const Opcode& opcode);
[[nodiscard]] Operation matrix_product(const Opcode& opcode);
[[nodiscard]] Operation synchronization(const Opcode& opcode);

}  // namespace flashbias::emulator
