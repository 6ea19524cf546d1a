#include <optional>
#include <utility>

#include "codegen/passes/passes.hpp"
#include "codegen/passes/placement.hpp"
#include "codegen/rewrite.hpp"
#include "flashbias/error.hpp"

namespace flashbias::codegen {

void factor_products(BiasForm& form) {
  const Expr products = std::exchange(form.products, {}).total();
  if (is_zero(products)) return;
  const auto& separation = form.algebra.separation(products);
  if (!separation) throw Error(ErrorCode::invalid_config, "bias: its products are too many to be joined");
  auto split = form.products_are_bounded ? split_within(*separation, form.error_budget) : std::nullopt;
  if (!split) split = split_like_f32(*separation);
  place_sides(separation->query_only, separation->key_only, form);
  if (split->rank() > 0) form.program.split_factors = *std::move(split);
}

}  // namespace flashbias::codegen
