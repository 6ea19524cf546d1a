#pragma once

#include <span>
#include <string>
#include <vector>

#include "flashbias/bias.hpp"

namespace flashbias::codegen {

/// What the names in an expression are called where it is evaluated.
struct CudaScope {
  std::string q_index = "q_index";
  std::string kv_index = "kv_index";
  bool tables_in_shared_memory = false;  ///< those that fit
  bool pairs_are_read_ahead = true;      ///< into `name_pair[c]`
};

/// Statements that define the repeated parts of an expression, and the expression itself.
struct CudaExpression {
  std::string statements;
  std::string value;
};

[[nodiscard]] CudaExpression to_cuda(const Expr& expr, const CudaScope& scope);

/// The same of several that are evaluated together.
struct CudaExpressions {
  std::string statements;
  std::vector<std::string> values;
};

[[nodiscard]] CudaExpressions to_cuda(std::span<const Expr> exprs, const CudaScope& scope);

/// Include lines of the functions that a bias calls and CUDA has not, or not as kernels need them.
[[nodiscard]] std::string function_includes(const Expr& bias);

/// `int`, `float` or `bool`.
[[nodiscard]] std::string cuda_type(const Expr& expr);

/// Tables up to this many entries are kept in shared memory where scores look them up.
inline constexpr int kMaxSharedTableEntries = 8192;

}  // namespace flashbias::codegen
