#pragma once

#include <string>

#include "codegen/passes/bias_form.hpp"

/// What finds its place in the kernel.
namespace flashbias::codegen {

/// Enters an addend into the places of its lowering; returns what happens to it.
[[nodiscard]] std::string place(const Expr& value, Lowering lowering, const TermAnalysis& analysis, BiasForm& form);

/// What depends on the query alone, and what depends on the key alone.
void place_sides(const Expr& query_only, const Expr& key_only, BiasForm& form);

/// The fate of a term that depends on the query alone or on the key alone.
void explain_side(const Addend& addend, BiasForm& form);

/// Whether the value varies with the key, and only by what is linear in kv_index.
[[nodiscard]] bool is_linear_in_keys(const Expr& value);

}  // namespace flashbias::codegen
