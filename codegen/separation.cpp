#include "codegen/separation.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "codegen/rewrite.hpp"
#include "flashbias/error.hpp"

namespace flashbias::codegen {
namespace {

using Matrix = std::vector<std::vector<mpq_class>>;

/// Columns of the pivots of the matrix's reduced row echelon form, which it becomes, zero rows gone.
std::vector<std::size_t> eliminate(Matrix& rows) {
  std::vector<std::size_t> pivots;
  const std::size_t columns = rows.empty() ? 0 : rows.front().size();
  for (std::size_t column = 0; column < columns && pivots.size() < rows.size(); ++column) {
    const std::size_t target = pivots.size();
    std::size_t found = target;
    while (found < rows.size() && rows[found][column] == 0) ++found;
    if (found == rows.size()) continue;
    std::swap(rows[target], rows[found]);
    const mpq_class pivot = rows[target][column];
    for (mpq_class& entry : rows[target]) entry /= pivot;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (i == target || rows[i][column] == 0) continue;
      const mpq_class factor = rows[i][column];
      for (std::size_t j = column; j < columns; ++j) rows[i][j] -= factor * rows[target][j];
    }
    pivots.push_back(column);
  }
  rows.resize(pivots.size());
  return pivots;
}

/// A product of atoms by what they vary with.
struct SplitMonomial {
  Monomial query, key, uniform;
};

/// Nothing where an atom varies with both query and key.
std::optional<SplitMonomial> split(const Monomial& monomial) {
  SplitMonomial result;
  for (const Power& power : monomial) {
    const Dependence varies = dependence(power.atom.expr());
    if (varies.mixed()) return std::nullopt;
    (varies.uniform() ? result.uniform : varies.query_only() ? result.query : result.key).push_back(power);
  }
  return result;
}

/// Coefficients of the products of a query monomial (row) and a key monomial (column).
class CoefficientMatrix {
 public:
  void add(const Monomial& query, const Monomial& key, const mpq_class& coefficient) {
    rows_[query][key] += coefficient;
    columns_.emplace(key, 0);
  }

  /// Pivot columns times the rows of the reduced echelon form: the matrix, in as few products as its rank.
  [[nodiscard]] std::vector<Separation::Factor> factor() const {
    const Matrix full = dense();
    Matrix reduced = full;
    const std::vector<std::size_t> pivots = eliminate(reduced);
    std::vector<Separation::Factor> factors;
    for (std::size_t r = 0; r < pivots.size(); ++r) {
      SumOfProducts query;
      SumOfProducts key;
      std::size_t i = 0;
      for (const auto& [monomial, entries] : rows_) {
        const mpq_class& coefficient = full[i++][pivots[r]];
        if (coefficient != 0) query.terms[monomial] = coefficient;
      }
      std::size_t j = 0;
      for (const auto& [monomial, unused] : columns_) {
        const mpq_class& coefficient = reduced[r][j++];
        if (coefficient != 0) key.terms[monomial] = coefficient;
      }
      factors.push_back({to_expr(query), to_expr(key)});
    }
    return factors;
  }

 private:
  [[nodiscard]] Matrix dense() const {
    Matrix matrix;
    for (const auto& [query, entries] : rows_) {
      auto& row = matrix.emplace_back();
      for (const auto& [key, unused] : columns_) {
        const auto found = entries.find(key);
        row.push_back(found == entries.end() ? mpq_class(0) : found->second);
      }
    }
    return matrix;
  }

  std::map<Monomial, std::map<Monomial, mpq_class>> rows_;
  std::map<Monomial, int> columns_;
};

std::optional<Separation> separate_or_throw(const SumOfProducts& sum) {
  SumOfProducts query_only;
  SumOfProducts key_only;
  CoefficientMatrix uniform_with_query;
  CoefficientMatrix uniform_with_key;
  bool has_uniform = false;
  for (const auto& [monomial, coefficient] : sum.terms) {
    const auto parts = split(monomial);
    if (!parts) return std::nullopt;
    if (parts->key.empty()) {
      query_only.terms[monomial] = coefficient;
    } else if (parts->query.empty()) {
      key_only.terms[monomial] = coefficient;
    } else {
      has_uniform |= !parts->uniform.empty();
      uniform_with_query.add(product(parts->query, parts->uniform), parts->key, coefficient);
      uniform_with_key.add(parts->query, product(parts->key, parts->uniform), coefficient);
    }
  }
  auto factors = uniform_with_query.factor();
  if (has_uniform)
    if (auto others = uniform_with_key.factor(); others.size() < factors.size()) factors = std::move(others);
  return Separation{to_expr(query_only), to_expr(key_only), std::move(factors)};
}

}  // namespace

bool is_separable(const SumOfProducts& sum) {
  return std::ranges::none_of(sum.terms, [](const auto& term) {
    return std::ranges::any_of(term.first, [](const Power& power) { return dependence(power.atom.expr()).mixed(); });
  });
}

std::optional<Separation> separate(const SumOfProducts& sum) {
  try {
    return separate_or_throw(sum);
  } catch (const Error&) {  // a factor that is longer than an expression may be
    return std::nullopt;
  }
}

std::optional<Separation> separate(const Expr& expr) {
  const auto sum = expand(expr);
  return sum ? separate(*sum) : std::nullopt;
}

}  // namespace flashbias::codegen
