#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>

#include "codegen/hash.hpp"
#include "flashbias/bias.hpp"
#include "flashbias/error.hpp"

namespace flashbias {
namespace {

using codegen::mix;

constexpr ValueType kInteger{.scalar = ScalarType::integer, .dims = 1};
constexpr ValueType kReal{.scalar = ScalarType::real, .dims = 1};

std::uint64_t structural_hash(const ExprNode& node) {
  std::uint64_t hash = mix(0, static_cast<std::uint64_t>(node.op));
  hash = mix(hash, static_cast<std::uint64_t>(node.type.scalar));
  hash = mix(hash, static_cast<std::uint64_t>(node.type.dims));
  hash = mix(hash, std::hash<std::string_view>{}(node.name));
  hash = mix(hash, static_cast<std::uint64_t>(node.integer));
  hash = mix(hash, std::bit_cast<std::uint64_t>(node.real));
  hash = mix(hash, node.dtype ? 1 + static_cast<std::uint64_t>(*node.dtype) : 0);
  if (node.range) {
    hash = mix(hash, std::bit_cast<std::uint64_t>(node.range->low));
    hash = mix(hash, std::bit_cast<std::uint64_t>(node.range->high));
  }
  if (node.approximated) hash = mix(hash, node.approximated->node().hash);
  for (const Expr& arg : node.args) hash = mix(hash, arg.node().hash);
  return hash;
}

Expr real_literal(double value) {
  if (std::isnan(value)) throw Error(ErrorCode::invalid_config, "a bias expression cannot hold the literal NaN");
  return make_expr({.op = Op::real_literal, .type = kReal, .real = value});
}

}  // namespace

Expr::Expr() : Expr(0.0) {}
Expr::Expr(bool value)
    : Expr(make_expr(
          {.op = Op::boolean_literal, .type = {.scalar = ScalarType::boolean, .dims = 1}, .integer = value ? 1 : 0})) {}
Expr::Expr(int value) : Expr(static_cast<std::int64_t>(value)) {}
Expr::Expr(std::int64_t value) : Expr(make_expr({.op = Op::integer_literal, .type = kInteger, .integer = value})) {}
Expr::Expr(double value) : Expr(real_literal(value)) {}

Op Expr::op() const noexcept { return node_->op; }
ValueType Expr::type() const noexcept { return node_->type; }
const Expr& Expr::arg(std::size_t index) const { return node_->args.at(index); }

Expr make_expr(ExprNode node) {
  node.depth = 1;
  node.reads_query = node.op == Op::q_index || node.op == Op::query_input;
  node.reads_key = node.op == Op::kv_index || node.op == Op::key_input;
  node.reads_pair = node.op == Op::pair_input;
  std::int64_t nodes = 1;
  const auto count = [&](const Expr& part) {
    node.depth = std::max(node.depth, part.node().depth + 1);
    nodes += part.node().nodes;
  };
  if (node.approximated) count(*node.approximated);
  for (const Expr& arg : node.args) {
    count(arg);
    node.reads_query |= arg.node().reads_query;
    node.reads_key |= arg.node().reads_key;
    node.reads_pair |= arg.node().reads_pair;
  }
  if (node.depth > kMaxDepth) {
    throw Error(
        ErrorCode::invalid_config,
        fmt::format("the bias expression is nested {} levels deep; at most {} are accepted. Add up fewer terms, or "
                    "group them: (a + b) + (c + d) is flatter than a + b + c + d",
                    node.depth, kMaxDepth));
  }
  if (nodes > kMaxNodes) {
    throw Error(ErrorCode::invalid_config,
                fmt::format("the bias expression has {} operations when written out; at most {} are accepted. Move "
                            "what it computes into a table or an input",
                            nodes, kMaxNodes));
  }
  node.nodes = static_cast<int>(nodes);
  node.hash = structural_hash(node);
  return Expr(std::make_shared<const ExprNode>(std::move(node)));
}

bool equal(const Expr& a, const Expr& b) noexcept {
  const ExprNode& x = a.node();
  const ExprNode& y = b.node();
  if (&x == &y) return true;
  return x.hash == y.hash && x.op == y.op && x.type == y.type && x.name == y.name && x.integer == y.integer &&
         std::bit_cast<std::uint64_t>(x.real) == std::bit_cast<std::uint64_t>(y.real) && x.dtype == y.dtype &&
         x.range == y.range && x.approximated.has_value() == y.approximated.has_value() &&
         (!x.approximated || equal(*x.approximated, *y.approximated)) &&
         std::equal(x.args.begin(), x.args.end(), y.args.begin(), y.args.end(), equal);
}

std::string to_string(ValueType type) {
  constexpr std::array<std::string_view, 3> kNames{"boolean", "integer", "real"};  // in the order of ScalarType
  const std::string_view name = kNames[static_cast<std::size_t>(type.scalar)];
  return type.dims == 1 ? std::string(name) : fmt::format("{}[{}]", name, type.dims);
}

}  // namespace flashbias
