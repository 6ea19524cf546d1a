#include <array>
#include <cstring>

#include "tests/emulator/address.hpp"
#include "tests/emulator/operations.hpp"
#include "tests/emulator/scalar.hpp"

namespace flashbias::emulator {
namespace {

/// shfl.sync.mode to|found, from, b, c, lanes: over the whole warp, which is what c = 31 (up: 0) says.
Operation shuffle(const Opcode& opcode) {
  const std::string mode(opcode.modifiers.at(1));
  return [mode](Warp& warp, const Instruction& instruction, Mask lanes) {
    const auto& operands = instruction.operands;
    Lanes before{};
    for_each_lane(lanes, [&](int lane) {
      before[static_cast<std::size_t>(lane)] = warp.get(operands[1].values.front(), lane);
      if (warp.get(operands[3].values.front(), lane) != (mode == "up" ? 0 : 31))
        throw Fault(warp.position() + ": shuffles within parts of a warp are not known");
    });
    for_each_lane(lanes, [&](int lane) {
      const auto b = static_cast<int>(warp.get(operands[2].values.front(), lane));
      const int source = mode == "bfly" ? lane ^ b : mode == "idx" ? b & 31 : mode == "up" ? lane - b : lane + b;
      const bool found = source >= 0 && source < kLanes && (lanes >> source & 1U) != 0;
      warp.set(operands[0].values[0], lane, before[static_cast<std::size_t>(found ? source : lane)]);
      if (operands[0].values.size() > 1) warp.set(operands[0].values[1], lane, found ? 1 : 0);
    });
  };
}

Operation vote(const Opcode& opcode) {
  const std::string mode(opcode.modifiers.at(1));
  return [mode](Warp& warp, const Instruction& instruction, Mask lanes) {
    Mask holds = 0;
    for_each_lane(lanes, [&](int lane) {
      if ((warp.get(instruction.operands[1].values.front(), lane) & 1U) != 0) holds |= Mask{1} << lane;
    });
    const Word result = mode == "ballot" ? holds : mode == "any" ? (holds != 0 ? 1 : 0) : (holds == lanes ? 1 : 0);
    for_each_lane(lanes, [&](int lane) { warp.set(instruction.operands[0].values.front(), lane, result); });
  };
}

/// Where row r of matrix i lies, as lane 8 i + r tells it.
std::byte* row_of_matrix(Warp& warp, const Operand& rows, std::size_t matrix, std::size_t row, Access access) {
  const int lane = static_cast<int>(matrix * 8 + row);
  const Word address = warp.get(rows.values.front(), lane) + static_cast<Word>(rows.offset);
  return warp.resolve(Space::shared, address, 8 * sizeof(std::uint16_t), lane, access);
}

/// ldmatrix: lane l gets elements 2 (l % 4) and the next of row l / 4 of each matrix, or of column l / 4 where
/// transposed.
Operation load_matrices(const Opcode& opcode) {
  const bool transposed = opcode.has("trans");
  if (!opcode.has("m8n8") || opcode.type() != "b16") return {};
  return [transposed](Warp& warp, const Instruction& instruction, Mask) {
    const auto& to = instruction.operands[0].values;
    for (std::size_t matrix = 0; matrix < to.size(); ++matrix) {
      std::array<std::array<std::uint16_t, 8>, 8> rows{};
      for (std::size_t row = 0; row < 8; ++row)
        std::memcpy(rows[row].data(), row_of_matrix(warp, instruction.operands[1], matrix, row, Access::read),
                    sizeof(rows[row]));
      for (int lane = 0; lane < kLanes; ++lane) {
        const auto along = static_cast<std::size_t>(lane % 4 * 2);
        const auto across = static_cast<std::size_t>(lane / 4);
        const auto element = [&](std::size_t i) { return transposed ? rows[i][across] : rows[across][i]; };
        warp.set(to[matrix], lane, Word{element(along)} | Word{element(along + 1)} << 16);
      }
    }
  };
}

/// stmatrix, not transposed: the way back.
Operation store_matrices(const Opcode& opcode) {
  if (!opcode.has("m8n8") || opcode.has("trans") || opcode.type() != "b16") return {};
  return [](Warp& warp, const Instruction& instruction, Mask) {
    const auto& from = instruction.operands[1].values;
    for (std::size_t matrix = 0; matrix < from.size(); ++matrix)
      for (std::size_t row = 0; row < 8; ++row) {
        std::array<std::uint32_t, 4> pairs{};
        for (std::size_t i = 0; i < pairs.size(); ++i)
          pairs[i] = static_cast<std::uint32_t>(warp.get(from[matrix], static_cast<int>(row * 4 + i)));
        std::memcpy(row_of_matrix(warp, instruction.operands[0], matrix, row, Access::write), pairs.data(),
                    sizeof(pairs));
      }
  };
}

}  // namespace

Operation between_lanes(const Opcode& opcode) {
  if (opcode.name == "shfl") return shuffle(opcode);
  if (opcode.name == "vote") return vote(opcode);
  if (opcode.name == "ldmatrix") return load_matrices(opcode);
  if (opcode.name == "stmatrix") return store_matrices(opcode);
  return {};
}

}  // namespace flashbias::emulator
