#include "codegen/divisors.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "codegen/excerpt.hpp"
#include "codegen/inputs.hpp"
#include "codegen/print.hpp"
#include "codegen/ranges.hpp"
#include "codegen/rewrite.hpp"
#include "codegen/text_error.hpp"
#include "codegen/value_analysis.hpp"

namespace flashbias::codegen {
namespace {

/// The expression with the node at a path made anew, so that no other place shares it, and that node. Stops at a named
/// bias, which prints as its name.
std::pair<Expr, const ExprNode*> with_own_node(const Expr& expr, std::span<const std::size_t> path) {
  if (path.empty() || expr.op() == Op::named) {
    Expr own = make_expr(expr.node());
    return {own, &own.node()};
  }
  std::vector<Expr> args = expr.node().args;
  const auto [arg, node] = with_own_node(args[path.front()], path.subspan(1));
  args[path.front()] = arg;
  return {with_args(expr, std::move(args)), node};
}

/// As it is typed: a conversion that an operator inserts is not.
const Expr& divisor_of(const Expr& division) {
  const Expr& divisor = division.arg(1);
  const bool converted = divisor.op() == Op::to_real && divisor.arg(0).type().scalar == ScalarType::integer;
  return converted ? divisor.arg(0) : divisor;
}

/// Names of the inputs that it reads whose ranges are not declared.
std::vector<std::string> unbounded_inputs(const Expr& expr) {
  std::vector<std::string> names;
  (void)any_node(expr, [&](const ExprNode& node) {
    if (is_input(node.op) && !node.range && std::ranges::find(names, node.name) == names.end())
      names.push_back(node.name);
    return false;
  });
  return names;
}

std::string remedies(const Expr& division, const ValueSet& values) {
  constexpr std::size_t kLongest = 48;
  const Expr& divisor = divisor_of(division);
  const bool is_integer = divisor.type().scalar == ScalarType::integer;
  const std::string text = to_string(divisor);
  const std::string name = text.size() <= kLongest ? printable(text) : "divisor";
  const std::string quotient = to_string(division);
  const std::string least = is_integer ? "1" : "1e-6";
  std::string result;
  if (const auto inputs = unbounded_inputs(divisor); !inputs.empty())
    result = fmt::format("Declare a range for {} that keeps it from 0, as in .range(0.5, 2), or write ",
                         excerpt(fmt::format("{}", fmt::join(inputs, ", "))));
  else
    result = "Write ";
  if (values.low >= 0) {
    const bool is_sum = divisor.op() == Op::add || divisor.op() == Op::multiply || divisor.node().args.size() != 2;
    if (is_sum || name != text) result += fmt::format("`{} + {}`, ", name, least);
  }
  result += fmt::format("`max({}, {})`{} or `select({} == 0, 0, {})`", name, least,
                        values.low >= 0 ? "" : ", if it is meant to be positive,", name,
                        quotient.size() <= 2 * kLongest && name == text ? printable(quotient) : "...");
  return result;
}

std::string what_may_be_zero(const Expr& division, const ValueSet& values) {
  const std::string what = fmt::format("`{}` divides by `{}`, which ", excerpt(to_string(division)),
                                       excerpt(to_string(divisor_of(division))));
  if (values.only_zero()) return what + "is always 0";
  return fmt::format("{}may be 0: it lies {}. {}", what, to_string(values), remedies(division, values));
}

}  // namespace

void reject_zero_divisors(const Expr& bias, bool causal) {
  const Expr ranged = spread_declared_ranges(bias);
  const auto found = find_zero_divisor(ranged, causal);
  if (!found) return;
  const auto [marked, node] = with_own_node(bias, found->path);
  const TextError located(ErrorCode::invalid_config, to_string(marked), offset_in_text(marked, *node),
                          what_may_be_zero(found->division, found->values));
  throw Error(ErrorCode::invalid_config, fmt::format("bias, {}", located.what()));
}

}  // namespace flashbias::codegen
