#include "codegen/inputs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "codegen/excerpt.hpp"
#include "codegen/ranges.hpp"
#include "flashbias/error.hpp"

namespace flashbias::codegen {
namespace {

class Collector {
 public:
  explicit Collector(DType dtype_of_q) : dtype_of_q_(dtype_of_q) {}

  void visit(const Expr& expr) {
    if (is_input(expr.op())) add(expr);
    for (const Expr& arg : expr.node().args) visit(arg);
  }

  [[nodiscard]] std::vector<InputSpec> specs() && { return std::move(specs_); }

 private:
  void add(const Expr& input) {
    InputSpec spec = input_spec(input, dtype_of_q_);
    const auto same_name = std::ranges::find(specs_, spec.name, &InputSpec::name);
    if (same_name == specs_.end()) {
      specs_.push_back(std::move(spec));
      first_uses_.push_back(input);
    } else if (*same_name != spec) {
      const Expr& first_use = first_uses_[static_cast<std::size_t>(same_name - specs_.begin())];
      throw Error(ErrorCode::invalid_config,
                  fmt::format("the bias input '{}' is used both as `{}` and as `{}`; give one of them another name",
                              spec.name, excerpt(to_string(first_use)), excerpt(to_string(input))));
    }
  }

  DType dtype_of_q_;
  std::vector<InputSpec> specs_;
  std::vector<Expr> first_uses_;  ///< of specs_
};

}  // namespace

bool is_input(Op op) noexcept {
  return op == Op::head_scalar || op == Op::query_input || op == Op::key_input || op == Op::pair_input ||
         op == Op::table;
}

bool is_real(DType dtype) noexcept { return dtype == DType::f16 || dtype == DType::bf16 || dtype == DType::f32; }

InputSpec input_spec(const Expr& input, DType dtype_of_q) {
  const ExprNode& node = input.node();
  return {.kind = node.op,
          .name = node.name,
          .dtype = node.dtype.value_or(dtype_of_q),
          .dims = node.op == Op::table ? static_cast<int>(node.integer) : node.type.dims,
          .range = node.range};
}

std::vector<InputSpec> collect_inputs(const Expr& bias, DType dtype_of_q) {
  Collector collector(dtype_of_q);
  collector.visit(spread_declared_ranges(bias));
  return std::move(collector).specs();
}

}  // namespace flashbias::codegen
