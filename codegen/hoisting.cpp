#include "codegen/hoisting.hpp"

#include <unordered_map>
#include <utility>

#include "codegen/bias_program.hpp"
#include "codegen/by_structure.hpp"
#include "codegen/index_algebra.hpp"
#include "codegen/rewrite.hpp"
#include "codegen/softmax_scale.hpp"

namespace flashbias::codegen {
namespace {

bool is_literal(const Expr& expr) {
  return expr.op() == Op::boolean_literal || expr.op() == Op::integer_literal || expr.op() == Op::real_literal;
}

/// Reading a parameter is as cheap as reading a value kept.
bool is_free(const Expr& expr) {
  return is_literal(expr) || expr.op() == Op::q_length || expr.op() == Op::kv_length || expr.op() == Op::head ||
         expr.op() == Op::batch || equal(expr, inverse_softmax_scale());
}

/// Booleans are cheap to make from their operands, and no 4-byte numbers.
bool can_keep(const Expr& expr) { return expr.type().dims == 1 && expr.type().scalar != ScalarType::boolean; }

/// Values of one owner, each kept once.
class Keeper {
 public:
  Keeper(std::string owner, std::vector<HoistedValue>& values) : owner_(std::move(owner)), values_(values) {}

  Expr keep(const Expr& meaning) {
    const auto [found, is_new] = names_.try_emplace(meaning, "value" + std::to_string(values_.size()));
    if (is_new) values_.push_back({found->second, meaning});
    return computed_value(owner_ + "." + found->second, meaning);
  }

 private:
  std::string owner_;
  std::vector<HoistedValue>& values_;
  std::unordered_map<Expr, std::string, ByStructure, ByStructure> names_;
};

class Hoister {
 public:
  template <class Hoisted>
  explicit Hoister(Hoisted& out) : head_("head", out.head), row_("row", out.row), key_("key", out.key) {}

  Expr hoist_uniform(const Expr& expr) {
    if (is_free(expr)) return expr;
    if (dependence(expr).uniform() && can_keep(expr)) return head_.keep(expr);
    return hoist_args(expr, &Hoister::hoist_uniform);
  }

  Expr hoist_all(const Expr& expr) {
    if (is_free(expr)) return expr;
    const Dependence varies = dependence(expr);
    if (can_keep(expr)) {
      if (varies.uniform()) return head_.keep(expr);
      if (varies.query_only()) return row_.keep(expr);
      if (varies.key_only()) return key_.keep(expr);
    }
    if (expr.op() == Op::table) {
      if (const auto split = split_query_key(expr.arg(0)))
        return with_args(expr, {hoist_all(split->query) + hoist_all(split->key)});
    }
    return hoist_args(expr, &Hoister::hoist_all);
  }

 private:
  Expr hoist_args(const Expr& expr, Expr (Hoister::*hoist_arg)(const Expr&)) {
    std::vector<Expr> args;
    for (const Expr& arg : expr.node().args) args.push_back((this->*hoist_arg)(arg));
    return with_args(expr, std::move(args));
  }

  Keeper head_;
  Keeper row_;
  Keeper key_;
};

}  // namespace

int count_key_values(const Expr& score) {
  HoistedScore out;
  (void)Hoister(out).hoist_all(score);
  return static_cast<int>(out.key.size());
}

HoistedScore hoist(const BiasProgram& program) {
  HoistedScore out;
  Hoister hoister(out);
  out.score = hoister.hoist_all(program.score);
  out.key_column = hoister.hoist_uniform(program.key_column);
  out.diagonal = hoister.hoist_uniform(program.diagonal);
  if (program.split_factors)
    for (const Separation::Factor& factor : program.split_factors->factors)
      out.key_factors.push_back(hoister.hoist_uniform(factor.key));
  return out;
}

HoistedScores hoist(const BiasSides& bias, const std::vector<Expr>& values) {
  HoistedScores out;
  Hoister hoister(out);
  out.bias = {.query = hoister.hoist_uniform(bias.query),
              .key = hoister.hoist_uniform(bias.key),
              .diagonal = hoister.hoist_uniform(bias.diagonal),
              .score = hoister.hoist_all(bias.score)};
  for (const Expr& value : values) out.values.push_back(hoister.hoist_all(value));
  return out;
}

}  // namespace flashbias::codegen
