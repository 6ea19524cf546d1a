#include "codegen/ranges.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "codegen/excerpt.hpp"
#include "codegen/inputs.hpp"
#include "codegen/rewrite.hpp"
#include "flashbias/error.hpp"

namespace flashbias {
namespace codegen {
namespace {

bool can_have_range(Op op) { return is_input(op) || op == Op::q_index || op == Op::kv_index; }

/// The name that a range is declared by: an input's own, an index's function.
std::string_view range_name(const ExprNode& node) {
  if (node.op == Op::q_index) return "q_index";
  return node.op == Op::kv_index ? "kv_index" : std::string_view(node.name);
}

Expr with_range(const Expr& leaf, const Range& range) {
  ExprNode node = leaf.node();
  node.range = range;
  return make_expr(std::move(node));
}

/// Whether a value of the leaf's type lies between the bounds.
bool holds_value(const Expr& leaf, const Range& range) {
  if (leaf.type().scalar == ScalarType::integer) return std::ceil(range.low) <= std::floor(range.high);
  return range.low <= range.high;
}

void check_bounds(const Expr& leaf, const Range& range) {
  constexpr double kMost = std::numeric_limits<float>::max();
  const auto [low, high] = range;
  const auto fits = [](double bound) { return std::abs(bound) <= kMost; };
  if (!(low <= high) || !fits(low) || !fits(high))
    throw Error(ErrorCode::invalid_config,
                fmt::format("the range {} to {} of `{}` holds no number; give the lower bound first, both finite in "
                            "f32",
                            low, high, excerpt(to_string(leaf))));
  // A launch compares lengths with the upper bound, and each sequence begins at 0.
  if (!is_input(leaf.op()) && (low > 0 || high < 0))
    throw Error(ErrorCode::invalid_config,
                fmt::format("the range {} to {} of `{}` leaves out 0, which every sequence has; declare 0 to {}", low,
                            high, excerpt(to_string(leaf)), high < 0 ? "its greatest index" : fmt::format("{}", high)));
  if (!holds_value(leaf, range))
    throw Error(ErrorCode::invalid_config,
                fmt::format("the range {} to {} of `{}` holds no integer, which all its values are; declare {} to {}",
                            low, high, excerpt(to_string(leaf)), std::floor(low), std::ceil(high)));
}

Expr declared(const Expr& leaf, const Range& range) {
  check_bounds(leaf, range);
  return with_range(leaf, range);
}

}  // namespace

Expr spread_declared_ranges(const Expr& bias) {
  std::map<std::string, Range, std::less<>> declared;
  (void)rewrite(bias, [&](const Expr& e) {
    const ExprNode& node = e.node();
    if (!node.range) return e;
    const auto [found, is_new] = declared.try_emplace(std::string(range_name(node)), *node.range);
    if (is_new) return e;
    Range& common = found->second;
    const Range before = common;
    common = {std::max(before.low, node.range->low), std::min(before.high, node.range->high)};
    if (!holds_value(e, common))
      throw Error(ErrorCode::invalid_config,
                  fmt::format("bias: '{}' is declared to range from {} to {} and from {} to {}, which have nothing in "
                              "common; declare it once",
                              found->first, before.low, before.high, node.range->low, node.range->high));
    return e;
  });
  if (declared.empty()) return bias;
  return rewrite(bias, [&](const Expr& e) {
    if (!can_have_range(e.op())) return e;
    const auto found = declared.find(range_name(e.node()));
    return found == declared.end() || e.node().range == found->second ? e : with_range(e, found->second);
  });
}

std::optional<std::int64_t> tokens_in_range(const Expr& bias, Op index) {
  std::optional<std::int64_t> tokens;
  (void)rewrite(bias, [&](const Expr& e) {
    if (e.op() == index && e.node().range) {
      const auto declared = static_cast<std::int64_t>(std::floor(std::min(e.node().range->high, 0x1p40))) + 1;
      tokens = std::min(tokens.value_or(declared), declared);
    }
    return e;
  });
  return tokens;
}

}  // namespace codegen

Expr Expr::range(double low, double high) const {
  if (!codegen::can_have_range(op()))
    throw Error(ErrorCode::invalid_config,
                fmt::format("`{}` is neither an input nor an index, whose range alone can be declared; to declare that "
                            "of an input inside, name it: .range(name, {}, {})",
                            codegen::excerpt(to_string(*this)), low, high));
  return codegen::declared(*this, {low, high});
}

Expr Expr::range(std::string_view input, double low, double high) const {
  const auto names = [&](const ExprNode& node) {
    return codegen::can_have_range(node.op) && codegen::range_name(node) == input;
  };
  if (!codegen::any_node(*this, names))
    throw Error(ErrorCode::invalid_config, fmt::format("`{}` has no input '{}' whose range could be declared",
                                                       codegen::excerpt(to_string(*this)), codegen::excerpt(input)));
  return codegen::rewrite(*this, [&](const Expr& e) {
    if (names(e.node())) return codegen::declared(e, {low, high});
    if (e.op() != Op::named || !codegen::any_node(e, names)) return e;
    ExprNode node = e.node();
    node.name += fmt::format(".range({}, {}, {})", input, low, high);
    return make_expr(std::move(node));
  });
}

}  // namespace flashbias
