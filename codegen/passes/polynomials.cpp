#include <cmath>
#include <utility>
#include <vector>

#include "codegen/error_bound.hpp"
#include "codegen/index_algebra.hpp"
#include "codegen/passes/passes.hpp"
#include "codegen/passes/placement.hpp"
#include "codegen/rewrite.hpp"
#include "codegen/separation.hpp"

namespace flashbias::codegen {
namespace {

/// The sums of products among the addends. They are lowered as one, so that how they were written decides nothing.
struct Pool {
  std::vector<Addend> members;
  std::vector<Addend> others;
  bool mixed = false;  ///< whether a member varies with both query and key
};

bool is_bounded(const Expr& value) { return std::isfinite(f32_value(value).magnitude()); }

bool is_polynomial(const Expr& value, BiasForm& form) {
  if (supplied_factors(value, form.config.dtype)) return false;
  const auto& sum = form.algebra.written_out(value);
  return sum && is_separable(*sum);
}

/// Of polynomials that declared ranges bound, or of those that they do not.
Pool gather(BiasForm& form, bool bounded) {
  Pool pool;
  for (const Addend& addend : form.addends) {
    const Expr& value = addend.expr;
    const bool is_member = is_polynomial(value, form) && is_bounded(value) == bounded &&
                           (bounded || dependence(value).query_only() || !kv_slope(value));
    (is_member ? pool.members : pool.others).push_back(addend);
    pool.mixed |= is_member && dependence(value).mixed();
  }
  return pool;
}

Expr sum_of(const std::vector<Addend>& addends) {
  CanonicalSum sum;
  for (const Addend& addend : addends) sum.add(addend.expr);
  return sum.total();
}

/// Members of which none varies with both query and key.
void place_apart(const Expr& polynomial, Pool pool, BiasForm& form) {
  const auto& separation = form.algebra.separation(polynomial);
  if (!separation || f32_value(separation->key_only).error > form.error_budget) return;
  place_sides(separation->query_only, separation->key_only, form);
  for (const Addend& member : pool.members) explain_side(member, form);
  form.addends = std::move(pool.others);
}

/// One addend instead of the members.
void join(const Expr& polynomial, TermAnalysis analysis, Pool pool, BiasForm& form) {
  Addend joined{.expr = polynomial, .is_joined = pool.members.size() > 1, .analysis = std::move(analysis)};
  for (const Addend& member : pool.members) {
    if (dependence(member.expr).mixed())
      joined.terms.insert(joined.terms.end(), member.terms.begin(), member.terms.end());
    else
      explain_side(member, form);
  }
  form.addends = std::move(pool.others);
  form.addends.insert(form.addends.begin(), std::move(joined));
}

/// Of a polynomial that is bounded in f32: products of what members only add up may be beyond it, as those of exp(x +
/// y).
bool is_exact(const TermAnalysis& analysis, double error_budget) {
  return analysis.separation && (analysis.split || analysis.in_differences || analysis.slope ||
                                 error_of_products(*analysis.separation) <= error_budget);
}

}  // namespace

void pool_bounded_polynomials(BiasForm& form) {
  Pool pool = gather(form, /*bounded=*/true);
  if (pool.members.empty()) return;
  const auto polynomial = form.algebra.canonical(sum_of(pool.members));
  if (!polynomial) return;
  if (!pool.mixed) return place_apart(*polynomial, std::move(pool), form);
  TermAnalysis analysis = analyse_term(*polynomial, form.config, form.error_budget, form.algebra);
  if (is_bounded(*polynomial) && is_exact(analysis, form.error_budget))
    join(*polynomial, std::move(analysis), std::move(pool), form);
  else
    form.error_budget = 0;  // errors of terms that are exact alone might add up
}

void pool_unbounded_polynomials(BiasForm& form) {
  Pool pool = gather(form, /*bounded=*/false);
  if (!pool.mixed) return;
  const auto polynomial = form.algebra.canonical(sum_of(pool.members));
  if (!polynomial) return;
  TermAnalysis analysis = analyse_term(*polynomial, form.config, form.error_budget, form.algebra);
  if (analysis.in_differences) join(*polynomial, std::move(analysis), std::move(pool), form);
}

}  // namespace flashbias::codegen
