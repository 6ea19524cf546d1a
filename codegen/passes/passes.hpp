#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "codegen/passes/bias_form.hpp"

/// The way from a bias as typed to the program that a kernel executes.
namespace flashbias::codegen {

struct Pass {
  std::string_view name;
  std::string_view purpose;
  void (*run)(BiasForm& form);
};

/// In the order in which they run.
[[nodiscard]] std::span<const Pass> passes();

/// Runs them all; `after` is told of each.
[[nodiscard]] BiasProgram run_passes(const AttentionConfig& config,
                                     const std::function<void(const Pass&, const BiasForm&)>& after);

/// What is declared of an input at one of its uses holds at all.
void spread_ranges(BiasForm& form);
/// A sum becomes its addends.
void split_sum(BiasForm& form);
/// Conditions that hide keys by their place become the range of visible keys.
void take_off_masks(BiasForm& form);
/// Addends are simplified, and split again where that shows a sum. They are the terms of the plan from here on.
void simplify_addends(BiasForm& form);
/// Polynomials whose declared ranges bound them become one polynomial, whose rank may be less than that of its terms.
void pool_bounded_polynomials(BiasForm& form);
/// Likewise the others, where together they depend on differences.
void pool_unbounded_polynomials(BiasForm& form);
/// What depends on the query alone goes to its row.
void drop_query_terms(BiasForm& form);
/// What depends on the key alone goes to the key column, but for what is linear in kv_index.
void split_off_key_terms(BiasForm& form);
/// Everything else takes the cheapest lowering that is exact, or the one that the config forces. Throws
/// Error(invalid_config) where there is none.
void choose_lowerings(BiasForm& form);
/// What will run as products of factors becomes one sum, with as few factors as its rank.
void factor_products(BiasForm& form);
/// Addends of each place are put in the order that does not tell how they were written.
void order_sums(BiasForm& form);
/// Places are measured in units of the softmax scale, unless factors are supplied.
void measure_in_scale(BiasForm& form);
/// What of a score is the same for a head, a row or a key is taken out of it.
void hoist_values(BiasForm& form);

}  // namespace flashbias::codegen
