#include <array>
#include <cstring>
#include <functional>

#include "tests/emulator/address.hpp"
#include "tests/emulator/half.hpp"
#include "tests/emulator/operations.hpp"
#include "tests/emulator/scalar.hpp"
#include "tests/emulator/tensor_map.hpp"

/// Products of 16-bit matrices with f32 sums. A warp holds rows l / 4 and l / 4 + 8 of 16 in lane l, columns 2 (l % 4)
/// and the next of each 8. Products are exact here and summed in double, where the hardware rounds in an order of its
/// own.
namespace flashbias::emulator {
namespace {

constexpr int kRows = 16;
constexpr int kDepth = 16;

using ToFloat = float (*)(std::uint16_t);
using Rows = std::array<std::array<float, kDepth>, kRows>;

/// Which two columns of a tile of 8 a lane holds: the first of them.
int first_column(int lane) { return lane % 4 * 2; }

float half_of(Word word, int which, ToFloat to_float) {
  return to_float(static_cast<std::uint16_t>(word >> (16 * which)));
}

/// The 16 rows of a left operand in registers: {rows 0-7, rows 8-15} of columns 0-7, then of columns 8-15.
Rows left_operand(const Warp& warp, const Operand& a, ToFloat to_float) {
  Rows rows{};
  for (std::size_t i = 0; i < a.values.size(); ++i)
    for (int lane = 0; lane < kLanes; ++lane)
      for (int which = 0; which < 2; ++which)
        rows[static_cast<std::size_t>(lane / 4) + i % 2 * 8]
            [static_cast<std::size_t>(first_column(lane) + which) + i / 2 * 8] =
                half_of(warp.get(a.values[i], lane), which, to_float);
  return rows;
}

/// d = c + a b for the 8 columns that `b(k, column)` gives, with four values a lane from `first` on.
void multiply_tile(Warp& warp, const Rows& a, int depth, const std::function<float(int, int)>& b,
                   const std::vector<Value>& c, const std::vector<Value>& d, std::size_t first, bool accumulate) {
  std::array<std::array<float, 8>, kDepth> right{};
  for (int k = 0; k < depth; ++k)
    for (int column = 0; column < 8; ++column)
      right[static_cast<std::size_t>(k)][static_cast<std::size_t>(column)] = b(k, column);
  for (int lane = 0; lane < kLanes; ++lane)
    for (std::size_t i = 0; i < 4; ++i) {
      const std::size_t row = static_cast<std::size_t>(lane / 4) + i / 2 * 8;
      const std::size_t column = static_cast<std::size_t>(first_column(lane)) + i % 2;
      double sum = accumulate ? from_word<float>(warp.get(c[first + i], lane)) : 0.0F;
      for (std::size_t k = 0; k < static_cast<std::size_t>(depth); ++k)
        sum += static_cast<double>(a[row][k]) * static_cast<double>(right[k][column]);
      warp.set(d[first + i], lane, to_word(static_cast<float>(sum)));
    }
}

ToFloat conversion_of(const Opcode& opcode) {
  if (opcode.has("bf16")) return float_of_bf16;
  return opcode.has("f16") ? float_of_f16 : nullptr;
}

/// mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 d, a, b, c
Operation warp_product(const Opcode& opcode) {
  const ToFloat to_float = conversion_of(opcode);
  const bool is_deep = opcode.has("m16n8k16");
  if (to_float == nullptr || opcode.type() != "f32" || (!is_deep && !opcode.has("m16n8k8"))) return {};
  return [=](Warp& warp, const Instruction& instruction, Mask) {
    const auto& operands = instruction.operands;
    const auto& b = operands[2].values;
    const auto right = [&](int k, int column) {
      return half_of(warp.get(b[static_cast<std::size_t>(k / 8)], column * 4 + k % 8 / 2), k % 2, to_float);
    };
    multiply_tile(warp, left_operand(warp, operands[1], to_float), is_deep ? 16 : 8, right, operands[3].values,
                  operands[0].values, 0, true);
  };
}

/// wgmma's operand in shared memory, as its matrix descriptor tells: `along` runs over rows or columns of the product.
class SharedOperand {
 public:
  SharedOperand(Warp& warp, Word descriptor, bool transposed, ToFloat to_float)
      : warp_(&warp),
        start_((descriptor & 0x3fffU) << 4),
        leading_((descriptor >> 16 & 0x3fffU) << 4),
        stride_((descriptor >> 32 & 0x3fffU) << 4),
        swizzle_(static_cast<Swizzle>((4 - (descriptor >> 62)) % 4)),
        transposed_(transposed),
        to_float_(to_float) {}

  [[nodiscard]] float operator()(int k, int along) const {
    const Word address = swizzled(start_ + (transposed_ ? offset_of_transposed(k, along) : offset(k, along)), swizzle_);
    if (warp_->block().race_detector() != nullptr) warp_->uncommitted_reads.push_back(address);
    std::uint16_t bits = 0;
    std::memcpy(&bits, warp_->resolve(Space::shared, address, sizeof(bits), 0, Access::read), sizeof(bits));
    return to_float_(bits);
  }

 private:
  /// Bytes of a row before the next begins.
  [[nodiscard]] Word width() const { return Word{16} << static_cast<unsigned>(swizzle_); }

  /// Rows of consecutive k: groups of eight of them; without a swizzle, chunks of 16 bytes lie apart.
  [[nodiscard]] Word offset(int k, int along) const {
    const auto row = static_cast<Word>(along);
    const auto bytes = static_cast<Word>(k) * 2;
    const Word in_group = row / 8 * stride_ + row % 8 * width();
    return swizzle_ == Swizzle::none ? in_group + bytes / 16 * leading_ + bytes % 16 : in_group + bytes;
  }
  /// A row a k; strips of as many columns as the swizzle spans.
  [[nodiscard]] Word offset_of_transposed(int k, int along) const {
    const auto row = static_cast<Word>(k);
    const Word bytes = static_cast<Word>(along) * 2;
    if (swizzle_ == Swizzle::none) throw Fault(warp_->position() + ": transposed without a swizzle is not known");
    return bytes / width() * leading_ + bytes % width() + row / 8 * stride_ + row % 8 * width();
  }

  Warp* warp_;
  Word start_, leading_, stride_;
  Swizzle swizzle_;
  bool transposed_;
  ToFloat to_float_;
};

/// wgmma.mma_async...m64nNk16 d, a, b, accumulate, scale-a, scale-b[, transposed-a], transposed-b: at once, for the 16
/// rows of the warp.
Operation warpgroup_product(const Opcode& opcode) {
  const ToFloat to_float = conversion_of(opcode);
  if (to_float == nullptr) return {};
  return [=](Warp& warp, const Instruction& instruction, Mask) {
    const auto& operands = instruction.operands;
    const bool a_in_shared = operands[1].values.size() == 1;
    const auto number = [&](std::size_t i) { return warp.get(operands.at(i).values.front(), 0); };
    const bool accumulate = (number(3) & 1U) != 0;
    if (number(4) != 1 || number(5) != 1) throw Fault(warp.position() + ": negated operands are not known");
    Rows a{};
    if (a_in_shared) {
      const SharedOperand shared(warp, number(1), number(6) != 0, to_float);
      for (int row = 0; row < kRows; ++row)
        for (int k = 0; k < kDepth; ++k)
          a[static_cast<std::size_t>(row)][static_cast<std::size_t>(k)] =
              shared(k, static_cast<int>(warp.index() % 4) * kRows + row);
    } else {
      a = left_operand(warp, operands[1], to_float);
    }
    const SharedOperand b(warp, number(2), number(a_in_shared ? 7 : 6) != 0, to_float);
    const auto& d = operands[0].values;
    for (std::size_t tile = 0; tile * 4 < d.size(); ++tile)
      multiply_tile(
          warp, a, kDepth, [&](int k, int column) { return b(k, static_cast<int>(tile) * 8 + column); }, d, d, tile * 4,
          accumulate);
  };
}

Operation commit_products() {
  return [](Warp& warp, const Instruction& /*instruction*/, Mask) {
    warp.committed_reads.push_back(std::move(warp.uncommitted_reads));
    warp.uncommitted_reads.clear();
  };
}

/// The products are done when they are issued; what they read counts as read until they are waited for.
Operation wait_for_products() {
  return [](Warp& warp, const Instruction& instruction, Mask) {
    while (warp.committed_reads.size() > instruction.operands.front().values.front().number) {
      for (const Word address : warp.committed_reads.front())
        warp.resolve(Space::shared, address, sizeof(std::uint16_t), 0, Access::read);
      warp.committed_reads.pop_front();
    }
  };
}

}  // namespace

Operation matrix_product(const Opcode& opcode) {
  if (opcode.name == "mma") return warp_product(opcode);
  if (opcode.name == "wgmma") {
    if (opcode.has("mma_async")) return warpgroup_product(opcode);
    if (opcode.has("commit_group")) return commit_products();
    if (opcode.has("wait_group")) return wait_for_products();
    if (opcode.has("fence")) return [](Warp& /*warp*/, const Instruction& /*instruction*/, Mask) {};
  }
  return {};
}

}  // namespace flashbias::emulator
