#include "codegen/differences.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "codegen/error_bound.hpp"
#include "codegen/rewrite.hpp"
#include "flashbias/error.hpp"

namespace flashbias::codegen {
namespace {

/// A key value and the query value that it is compared with.
struct Pair {
  Expr query;
  Expr key;

  [[nodiscard]] Expr difference() const { return query - key; }
};

const Expr& input_of(const Expr& atom) { return atom.op() == Op::component ? atom.arg(0) : atom; }

bool can_pair(const Expr& query, const Expr& key) {
  const Expr& q = input_of(query);
  const Expr& k = input_of(key);
  if (query.op() == Op::q_index) return key.op() == Op::kv_index;
  return q.op() == Op::query_input && k.op() == Op::key_input && q.type() == k.type() &&
         query.node().integer == key.node().integer;
}

std::set<Atom> atoms_of(const SumOfProducts& sum) {
  std::set<Atom> atoms;
  for (const auto& [monomial, coefficient] : sum.terms)
    for (const Power& power : monomial) atoms.insert(power.atom);
  return atoms;
}

/// Ways to pair the sum's key values with query values: one for each pair of inputs, and for the indices one that
/// counts from the start of both sequences and one from their ends.
std::vector<std::vector<Pair>> pairings(const SumOfProducts& sum) {
  const std::set<Atom> atoms = atoms_of(sum);
  std::map<std::string, std::vector<Pair>> by_inputs;
  for (const Atom& query : atoms)
    for (const Atom& key : atoms) {
      if (!can_pair(query.expr(), key.expr())) continue;
      by_inputs[to_string(input_of(query.expr())) + to_string(input_of(key.expr()))].push_back(
          {query.expr(), key.expr()});
      if (query.expr().op() == Op::q_index) by_inputs["positions"] = {{strip_names(bias::q_position()), key.expr()}};
    }
  std::vector<std::vector<Pair>> result;
  for (auto& [inputs, pairs] : by_inputs) result.push_back(std::move(pairs));
  return result;
}

SumOfProducts power(const SumOfProducts& base, int exponent) {
  SumOfProducts result = base;
  for (int i = 1; i < exponent; ++i) result = product(result, base);
  return result;
}

/// The sum with the atom replaced.
std::optional<SumOfProducts> replace_atom(const SumOfProducts& in, const Atom& atom, const SumOfProducts& replacement) {
  SumOfProducts result;
  for (const auto& [monomial, coefficient] : in.terms) {
    const auto found = std::ranges::find(monomial, atom, &Power::atom);
    if (found == monomial.end()) {
      result = sum(std::move(result), {.terms = {{monomial, coefficient}}});
      continue;
    }
    constexpr int kMaxExponent = 8;
    if (found->exponent > kMaxExponent) return std::nullopt;
    Monomial rest = monomial;
    rest.erase(rest.begin() + (found - monomial.begin()));
    result = sum(std::move(result), product({.terms = {{rest, coefficient}}}, power(replacement, found->exponent)));
  }
  return result;
}

/// A sum of products written with the differences of pairs.
class Differences {
 public:
  Differences(SumOfProducts sum, const std::vector<Pair>& pairs) : sum_(std::move(sum)) {
    for (const Pair& pair : pairs) replace_key(pair);
  }

  /// Nothing where the pairs' own values are left beside their differences.
  std::optional<DifferenceForm> form() const {
    if (!replaced_) return std::nullopt;
    SumOfProducts query_only;
    SumOfProducts key_only;
    std::map<Monomial, SumOfProducts> by_weight;
    for (const auto& [monomial, coefficient] : sum_.terms) {
      const auto [weight, differences] = split(monomial);
      if (differences.empty()) {
        const Dependence varies = dependence(weight);
        if (varies.mixed()) return std::nullopt;
        (varies.query_only() ? query_only : key_only).terms[monomial] = coefficient;
        continue;
      }
      if (!may_weigh(weight)) return std::nullopt;
      by_weight[weight].terms[differences] = coefficient;
    }
    if (by_weight.empty()) return std::nullopt;
    return DifferenceForm{weighted_sum(by_weight), to_expr(query_only), to_expr(key_only)};
  }

 private:
  void replace_key(const Pair& pair) {
    const auto query = expand(pair.query);
    const Atom difference(pair.difference());
    differences_.insert(difference);
    for (const Atom& atom : atoms_of(*query)) paired_.insert(atom);
    auto replaced = replace_atom(sum_, Atom(pair.key), sum(*query, {.terms = {{{{difference}}, 1}}}, -1));
    replaced_ = replaced_ && replaced.has_value();
    if (replaced) sum_ = *std::move(replaced);
  }

  [[nodiscard]] std::pair<Monomial, Monomial> split(const Monomial& monomial) const {
    Monomial weight;
    Monomial differences;
    for (const Power& power : monomial) (differences_.contains(power.atom) ? differences : weight).push_back(power);
    return {std::move(weight), std::move(differences)};
  }

  /// What multiplies differences: values that are computed ahead and not paired, and no parts of an exponential that
  /// f32 may not hold where it holds the whole.
  [[nodiscard]] bool may_weigh(const Monomial& weight) const {
    bool query_exponential = false;
    bool key_exponential = false;
    for (const Power& power : weight) {
      const Dependence varies = dependence(power.atom.expr());
      if (paired_.contains(power.atom) || varies.mixed()) return false;
      if (power.atom.expr().op() != Op::exp) continue;
      query_exponential |= varies.query;
      key_exponential |= varies.key;
    }
    return !query_exponential || !key_exponential ||
           std::isfinite(f32_value(to_expr({.terms = {{weight, 1}}})).magnitude());
  }

  [[nodiscard]] static Expr weighted_sum(const std::map<Monomial, SumOfProducts>& by_weight) {
    std::optional<Expr> result;
    for (const auto& [weight, differences] : by_weight) {
      const Expr sum = to_expr(differences);
      const Expr group = weight.empty() ? sum : to_expr({.terms = {{weight, 1}}}) * sum;
      result = result ? *result + group : group;
    }
    return *result;
  }

  SumOfProducts sum_;
  std::set<Atom> differences_;
  std::set<Atom> paired_;  ///< query values that differences are made of
  bool replaced_ = true;
};

}  // namespace

std::optional<DifferenceForm> in_differences(const SumOfProducts& polynomial) {
  std::optional<DifferenceForm> best;
  try {
    for (const auto& pairs : pairings(polynomial)) {
      auto found = Differences(polynomial, pairs).form();
      const auto size = [](const DifferenceForm& form) {
        return form.differences.node().nodes + form.query_only.node().nodes + form.key_only.node().nodes;
      };
      if (found && (!best || size(*found) < size(*best))) best = std::move(found);
    }
  } catch (const Error&) {  // longer than an expression may be
    return std::nullopt;
  }
  return best;
}

}  // namespace flashbias::codegen
