#include "codegen/provable_mistakes.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <limits>

#include "codegen/excerpt.hpp"
#include "codegen/index_algebra.hpp"
#include "codegen/rewrite.hpp"
#include "flashbias/error.hpp"

namespace flashbias::codegen {
namespace {

std::string written(const Expr& expr) { return excerpt(to_string(expr)); }

void check_integer(std::int64_t value) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  if (value >= -kMost && value <= kMost) return;
  throw Error(ErrorCode::invalid_config,
              fmt::format("bias: the integer {} does not fit the 32 bits that kernels compute integers in ({} to {}); "
                          "write it as a real",
                          value, -kMost, kMost));
}

void check_real(double value) {
  constexpr double kMost = std::numeric_limits<float>::max();
  if (std::isinf(value) || std::abs(value) <= kMost) return;
  throw Error(ErrorCode::invalid_config,
              fmt::format("bias: the number {} is beyond what kernels compute reals in, f32 (at most {}); write "
                          "infinity if that is meant",
                          value, std::numeric_limits<float>::max()));
}

void check_table(const Expr& table) {
  const std::int64_t entries = table.node().integer;
  const auto index = interval(table.arg(0));
  if (!index || (index->low < entries && index->high >= 0)) return;
  const std::string values =
      index->low == index->high ? std::to_string(index->low) : fmt::format("{} to {}", index->low, index->high);
  throw Error(
      ErrorCode::invalid_config,
      fmt::format("bias: table '{}' has entries 0 to {}, and its index `{}` is {}: outside at every score. Give "
                  "the table more entries or move the index into them",
                  table.node().name, entries - 1, written(table.arg(0)), values));
}

void check(const Expr& expr) {
  switch (expr.op()) {
    case Op::integer_literal:
      return check_integer(expr.node().integer);
    case Op::real_literal:
      return check_real(expr.node().real);
    case Op::table:
      return check_table(expr);
    default:
      return;
  }
}

}  // namespace

void reject_provable_mistakes(const Expr& bias) {
  // For the walk alone: it meets each shared part once, operands first.
  (void)rewrite(bias, [](const Expr& expr) {
    check(expr);
    return expr;
  });
}

}  // namespace flashbias::codegen
