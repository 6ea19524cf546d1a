#include "codegen/differences.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "codegen/rewrite.hpp"
#include "codegen/sum_of_products.hpp"
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

/// Ways to pair the sum's key values with query values: one for each pair of inputs, and for the indices one that
/// counts from the start of both sequences and one from their ends.
std::vector<std::vector<Pair>> pairings(const SumOfProducts& sum) {
  std::map<std::string, std::vector<Pair>> by_inputs;
  for (const auto& [query_text, query] : sum.atoms)
    for (const auto& [key_text, key] : sum.atoms) {
      if (!can_pair(query, key)) continue;
      by_inputs[to_string(input_of(query)) + to_string(input_of(key))].push_back({query, key});
      if (query.op() == Op::q_index) by_inputs["positions"] = {{strip_names(bias::q_position()), key}};
    }
  std::vector<std::vector<Pair>> result;
  for (auto& [inputs, pairs] : by_inputs) result.push_back(std::move(pairs));
  return result;
}

SumOfProducts one_atom(const Expr& expr) {
  const std::string text = to_string(expr);
  return {.terms = {{{{text, 1}}, 1}}, .atoms = {{text, expr}}};
}

SumOfProducts power(const SumOfProducts& base, int exponent) {
  SumOfProducts result = base;
  for (int i = 1; i < exponent; ++i) result = product(result, base);
  return result;
}

/// The sum with the atom replaced.
std::optional<SumOfProducts> substitute(const SumOfProducts& in, const Expr& atom, const SumOfProducts& replacement) {
  const std::string text = to_string(atom);
  SumOfProducts result{.terms = {}, .atoms = in.atoms};
  for (const auto& [monomial, coefficient] : in.terms) {
    Monomial rest = monomial;
    const auto found = rest.find(text);
    const int exponent = found == rest.end() ? 0 : found->second;
    constexpr int kMaxExponent = 8;
    if (exponent > kMaxExponent) return std::nullopt;
    if (exponent > 0) rest.erase(found);
    const SumOfProducts kept{.terms = {{rest, coefficient}}, .atoms = in.atoms};
    result = sum(std::move(result), exponent > 0 ? product(kept, power(replacement, exponent)) : kept);
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
    SumOfProducts query_only{.terms = {}, .atoms = sum_.atoms};
    SumOfProducts key_only = query_only;
    std::map<Monomial, SumOfProducts> by_weight;
    for (const auto& [monomial, coefficient] : sum_.terms) {
      const auto [weight, differences] = split(monomial);
      if (differences.empty()) {
        const bool of_query = varies_with(weight, &Dependence::query_only);
        if (!of_query && !varies_with(weight, &Dependence::key_only)) return std::nullopt;
        (of_query ? query_only : key_only).terms[monomial] = coefficient;
        continue;
      }
      if (!may_weigh(weight)) return std::nullopt;
      SumOfProducts& group = by_weight[weight];
      group.atoms = sum_.atoms;
      group.terms[differences] = coefficient;
    }
    if (by_weight.empty()) return std::nullopt;
    return DifferenceForm{weighted_sum(by_weight), to_expr(query_only), to_expr(key_only)};
  }

 private:
  void replace_key(const Pair& pair) {
    const auto query = expand(pair.query);
    const SumOfProducts difference = one_atom(pair.difference());
    differences_.insert(difference.atoms.begin()->first);
    for (const auto& [text, atom] : query->atoms) paired_.insert(text);
    auto replaced = substitute(sum_, pair.key, sum(*query, difference, -1));
    replaced_ = replaced_ && replaced.has_value();
    if (replaced) sum_ = *std::move(replaced);
  }

  [[nodiscard]] std::pair<Monomial, Monomial> split(const Monomial& monomial) const {
    Monomial weight;
    Monomial differences;
    for (const auto& [text, exponent] : monomial) (differences_.contains(text) ? differences : weight)[text] = exponent;
    return {std::move(weight), std::move(differences)};
  }

  [[nodiscard]] bool varies_with(const Monomial& monomial, bool (Dependence::*side_only)() const noexcept) const {
    return std::ranges::all_of(
        monomial, [&](const auto& power) { return (dependence(sum_.atoms.at(power.first)).*side_only)(); });
  }

  /// What multiplies differences: values that are computed ahead and not paired.
  [[nodiscard]] bool may_weigh(const Monomial& weight) const {
    return std::ranges::none_of(weight, [&](const auto& power) {
      return paired_.contains(power.first) || dependence(sum_.atoms.at(power.first)).mixed();
    });
  }

  [[nodiscard]] Expr weighted_sum(const std::map<Monomial, SumOfProducts>& by_weight) const {
    std::optional<Expr> result;
    for (const auto& [weight, differences] : by_weight) {
      const SumOfProducts factor{.terms = {{weight, 1}}, .atoms = sum_.atoms};
      const Expr group = weight.empty() ? to_expr(differences) : to_expr(factor) * to_expr(differences);
      result = result ? *result + group : group;
    }
    return *result;
  }

  SumOfProducts sum_;
  std::set<std::string> differences_;
  std::set<std::string> paired_;  ///< query values that differences are made of
  bool replaced_ = true;
};

}  // namespace

std::optional<DifferenceForm> in_differences(const Expr& expr) {
  const auto written_out = expand(expr);
  if (!written_out) return std::nullopt;
  std::optional<DifferenceForm> best;
  try {
    for (const auto& pairs : pairings(*written_out)) {
      auto found = Differences(*written_out, pairs).form();
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
