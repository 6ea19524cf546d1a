#include "codegen/passes/passes.hpp"

#include <array>
#include <utility>

namespace flashbias::codegen {
namespace {

constexpr std::array kPasses{
    Pass{"ranges", "what is declared of an input at one use holds at all", spread_ranges},
    Pass{"addends", "the sum is taken apart", split_sum},
    Pass{"masks", "conditions that hide keys by their place become a range of keys", take_off_masks},
    Pass{"simplification", "names and vectors written out, constants folded, signs under a causal mask used",
         simplify_addends},
    Pass{"bounded polynomials", "sums of products whose ranges are declared become one, in canonical order",
         pool_bounded_polynomials},
    Pass{"other polynomials", "the others become one where it depends on differences", pool_unbounded_polynomials},
    Pass{"query-only terms", "the softmax ignores them; a log-sum-exp counts them once a row", drop_query_terms},
    Pass{"key-only terms", "one number a key", split_off_key_terms},
    Pass{"lowering", "each other term takes the cheapest lowering that is exact", choose_lowerings},
    Pass{"factors", "the products are separated into as few factors as their rank", factor_products},
    Pass{"order", "addends in an order that does not tell how they were written", order_sums},
    Pass{"softmax scale", "measured in its units, so that no score is multiplied", measure_in_scale},
    Pass{"hoisting", "what is the same for a head, a row or a key is computed once for it", hoist_values},
};

}  // namespace

std::span<const Pass> passes() { return kPasses; }

BiasProgram run_passes(const AttentionConfig& config, const std::function<void(const Pass&, const BiasForm&)>& after) {
  BiasForm form(config);
  for (const Pass& pass : passes()) {
    pass.run(form);
    after(pass, form);
  }
  return std::move(form.program);
}

}  // namespace flashbias::codegen
