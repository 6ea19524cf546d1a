#pragma once

#include <string>
#include <vector>

#include "codegen/cuda_expression.hpp"
#include "codegen/hoisting.hpp"

/// Pieces of generated structs and functions.
namespace flashbias::codegen {

/// `  float value0;  // what it means`, a line each.
[[nodiscard]] std::string members_of(const std::vector<HoistedValue>& values);

/// `target = value;`, in a scope of its own where it needs statements.
[[nodiscard]] std::string assignment(const std::string& target, const Expr& meaning, const CudaScope& scope);

/// Assigns each value to the member of `terms` of its name.
[[nodiscard]] std::string assignments_of(const std::vector<HoistedValue>& values, const CudaScope& scope);

}  // namespace flashbias::codegen
