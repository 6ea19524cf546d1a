#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// PTX as the emulator runs it.
namespace flashbias::emulator {

inline constexpr int kLanes = 32;
using Mask = std::uint32_t;  ///< a bit a lane
using Word = std::uint64_t;  ///< of a register; narrower types lie in the low bits, the others are zeros
using Lanes = std::array<Word, kLanes>;

class Warp;
struct Instruction;
using Operation = std::function<void(Warp&, const Instruction&, Mask)>;

/// What a kernel does wrong, or what the emulator does not know.
class Fault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A register, or a number that is known when the module is read: a literal, an address, the place of a label.
struct Value {
  std::optional<std::uint32_t> reg;
  Word number = 0;
};

/// `a`, `{a, b}`, `a|b`, `[a+8]`, or `[a, {b, c}]`: the values in their order.
struct Operand {
  std::vector<Value> values;
  std::int64_t offset = 0;
};

struct Guard {
  std::uint32_t reg = 0;
  bool negated = false;
};

enum class Flow : std::uint8_t {
  next,
  branch,
  leave,
  together,  ///< by all threads of the warp at once, or by none
};

struct Instruction {
  std::string opcode;
  std::vector<Operand> operands;
  std::optional<Guard> guard;
  Flow flow = Flow::next;
  Operation operation;
  int line = 0;
};

struct Kernel {
  std::string name;
  std::vector<Instruction> code;
  std::uint32_t registers = 0;
  std::map<std::string, std::uint32_t> special_registers;  ///< `%tid.x` and others that it reads
  std::size_t parameter_bytes = 0;
  std::size_t local_bytes = 0;
  unsigned max_threads = 0;  ///< a block, 0: not told
};

struct Module {
  std::map<std::string, Kernel> kernels;
  std::vector<std::unique_ptr<std::vector<std::byte>>> globals;
  std::size_t static_shared_bytes = 0;
};

/// Where shared memory begins: no variable lies at 0, and what is swizzled is aligned.
inline constexpr std::size_t kSharedStart = 1024;

/// Throws Fault, with the line, for what it cannot read or does not know.
[[nodiscard]] std::unique_ptr<Module> parse(std::string_view ptx);

}  // namespace flashbias::emulator
