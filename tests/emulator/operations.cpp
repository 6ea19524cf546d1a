#include "tests/emulator/operations.hpp"

#include <algorithm>
#include <array>

namespace flashbias::emulator {
namespace {

constexpr std::array kTogether = {"shfl",     "vote",     "bar",   "barrier",   "mma",
                                  "ldmatrix", "stmatrix", "wgmma", "setmaxnreg"};

}  // namespace

Opcode::Opcode(std::string_view text) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('.'), text.size());
    parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  name = parts.front();
  modifiers.assign(parts.begin() + 1, parts.end());
}

bool Opcode::has(std::string_view modifier) const {
  return std::find(modifiers.begin(), modifiers.end(), modifier) != modifiers.end();
}

std::size_t size_of_type(std::string_view type) {
  const std::size_t digits = type.find_first_of("0123456789");
  return digits == std::string_view::npos ? 1 : std::stoul(std::string(type.substr(digits))) / 8;
}

void choose_operation(Instruction& instruction) {
  const Opcode opcode(instruction.opcode);
  if (opcode.name == "bra") {
    instruction.flow = Flow::branch;
    return;
  }
  if (opcode.name == "ret" || opcode.name == "exit") {
    instruction.flow = Flow::leave;
    return;
  }
  if (std::find(kTogether.begin(), kTogether.end(), opcode.name) != kTogether.end()) instruction.flow = Flow::together;
  for (const auto family :
       {arithmetic, conversion, memory_access, asynchronous_copy, between_lanes, matrix_product, synchronization}) {
    instruction.operation = family(opcode);
    if (instruction.operation) return;
  }
  throw Fault("does not know the instruction '" + instruction.opcode + "'");
}

}  // namespace flashbias::emulator
