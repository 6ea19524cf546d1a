#include "codegen/value_analysis.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "codegen/facts.hpp"
#include "codegen/index_algebra.hpp"
#include "codegen/inputs.hpp"

namespace flashbias::codegen {
namespace {

constexpr double kMaxLength = 0x1p24;
constexpr double kMaxInteger = 0x1p31;

ValueSet input_values(const ExprNode& input) {
  if (input.range) return between(input.range->low, input.range->high);
  if (input.dtype == DType::u8) return between(0, 255);
  if (input.dtype == DType::i32) return between(-kMaxInteger, kMaxInteger);
  return {};
}

ValueSet index_values(const ExprNode& index) {
  if (index.range) return between(std::max(index.range->low, 0.0), index.range->high);
  return between(0, kMaxLength - 1);
}

/// Declared indices that no score can have are refused at launch, like those beyond the range.
using Bounds = std::pair<double, double>;

/// by_index * index + by_length * length, where 0 <= index < length: at its extremes in some corner.
Bounds index_and_length(const ValueSet& index, std::int64_t by_index, std::int64_t by_length) {
  const auto at = [&](double i, double length) {
    return static_cast<double>(by_index) * i + static_cast<double>(by_length) * length;
  };
  const std::array corners{at(index.low, index.low + 1), at(index.low, kMaxLength), at(index.high, index.high + 1),
                           at(index.high, kMaxLength)};
  const auto [low, high] = std::ranges::minmax(corners);
  return {low, high};
}

std::optional<ValueSet> index_sum(const Expr& expr, const LinearSum& sum, bool causal) {
  const auto form = linear_form(expr);
  if (!form || form->head < 0 || form->batch < 0) return std::nullopt;
  ValueSet q = between(0, kMaxLength - 1);
  ValueSet kv = q;
  for (const LinearSum::Term& term : sum.terms) {
    if (term.atom.op() == Op::q_index) q = index_values(term.atom.node());
    if (term.atom.op() == Op::kv_index) kv = index_values(term.atom.node());
  }
  const Bounds of_queries = index_and_length(q, form->q, form->q_length);
  const Bounds of_keys = index_and_length(kv, form->kv, form->kv_length);
  const auto constant = static_cast<double>(form->constant);
  const bool bounded = form->head == 0 && form->batch == 0;
  const ValueSet values = between(constant + of_queries.first + of_keys.first,
                                  bounded ? constant + of_queries.second + of_keys.second : kNoBound);
  // A visible key stands at the query's position or before.
  const std::int64_t d = form->q;
  if (!causal || !bounded || form->kv != -d || form->kv_length != d || form->q_length != -d) return values;
  return common(values, d > 0 ? between(constant, kNoBound) : between(-kNoBound, constant));
}

class Analysis {
 public:
  explicit Analysis(bool causal) : causal_(causal) {}

  void run(const Expr& bias) { (void)values(bias); }
  [[nodiscard]] const std::optional<ZeroDivisor>& found() const { return found_; }

 private:
  /// What `visit` makes of an argument, whose path is kept meanwhile.
  template <class Visit>
  auto at_argument(const Expr& expr, std::size_t index, Visit visit) {
    path_.push_back(index);
    auto result = visit(expr.arg(index));
    path_.pop_back();
    return result;
  }

  template <class Visit>
  auto under(const std::vector<Fact>& told, Visit visit) {
    const Facts::Scope scope(facts_, told);
    return visit();
  }

  ValueSet of_argument(const Expr& expr, std::size_t index) {
    return at_argument(expr, index, [&](const Expr& arg) { return values(arg); });
  }

  /// An argument of an integer sum, which is looked at as a whole.
  ValueSet of_addend(const Expr& expr, std::size_t index) {
    return at_argument(expr, index, [&](const Expr& arg) { return facts_.narrowed(arg, of_operation(arg)); });
  }

  ValueSet values(const Expr& expr) {
    if (expr.type().scalar == ScalarType::boolean) {
      (void)condition(expr);
      return between(0, 1);
    }
    const ValueSet result = facts_.narrowed(expr, of_operation(expr));
    if (expr.type() != ValueType{ScalarType::integer, 1} || !result.zero) return result;
    const auto sum = linear_sum(expr);
    if (!sum) return result;
    const auto of_indices = index_sum(expr, *sum, causal_);
    return facts_.narrowed(*sum, of_indices ? common(result, *of_indices) : result);
  }

  ValueSet of_operation(const Expr& e) {
    const bool is_integer = e.type().scalar == ScalarType::integer;
    const auto addend = [&](std::size_t index) { return is_integer ? of_addend(e, index) : of_argument(e, index); };
    switch (e.op()) {
      case Op::integer_literal: {
        const auto value = static_cast<double>(e.node().integer);
        return between(value, value);
      }
      case Op::real_literal:
        return between(e.node().real, e.node().real);
      case Op::q_index:
      case Op::kv_index:
        return index_values(e.node());
      case Op::q_length:
      case Op::kv_length:
        return between(1, kMaxLength);  // there is a score
      case Op::head:
      case Op::batch:
        return between(0, kMaxInteger);
      case Op::table:
        (void)of_argument(e, 0);
        return input_values(e.node());
      case Op::named:
      case Op::component:
      case Op::to_real:
        return of_argument(e, 0);
      case Op::negate:
        return -addend(0);
      case Op::add: {
        const ValueSet a = addend(0);
        return a + addend(1);
      }
      case Op::subtract: {
        const ValueSet a = addend(0);
        return a + -addend(1);
      }
      case Op::multiply:
        return product(e);
      case Op::divide:
      case Op::remainder:
        return quotient(e);
      case Op::select:
        return choice(e);
      default:
        return is_input(e.op()) ? input_values(e.node()) : function(e);
    }
  }

  ValueSet function(const Expr& e) {
    const ValueSet a = of_argument(e, 0);
    switch (e.op()) {
      case Op::absolute:
        return abs(a);
      case Op::sqrt:
        return sqrt(a);
      case Op::exp:
        return exp(a);
      case Op::log:
        return log(a);
      case Op::sin:
      case Op::cos:
        return between(-1, 1);
      default:
        return function(e, a, of_argument(e, 1));
    }
  }

  static ValueSet function(const Expr& e, const ValueSet& a, const ValueSet& b) {
    switch (e.op()) {
      case Op::minimum:
        return min(a, b);
      case Op::maximum:
        return max(a, b);
      case Op::atan2:
        return atan2(a, b);
      case Op::dot: {
        const auto dims = static_cast<double>(e.arg(0).type().dims);
        return between(dims, dims) * (equal(e.arg(0), e.arg(1)) ? square(a) : a * b);
      }
      default:
        return {};
    }
  }

  struct Factor {
    Expr expr;
    ValueSet values;
  };

  void collect_factors(const Expr& product, std::vector<Factor>& factors) {
    for (const std::size_t index : {std::size_t{0}, std::size_t{1}}) {
      at_argument(product, index, [&](const Expr& arg) {
        if (arg.op() == Op::multiply)
          collect_factors(arg, factors);
        else
          factors.push_back({arg, values(arg)});
        return true;
      });
    }
  }

  /// A factor that stands twice, wherever, makes a square.
  ValueSet product(const Expr& e) {
    std::vector<Factor> factors;
    collect_factors(e, factors);
    std::ranges::stable_sort(factors, {}, [](const Factor& factor) { return factor.expr.node().hash; });
    ValueSet result = between(1, 1);
    for (std::size_t i = 0; i < factors.size(); ++i) {
      const bool twice = i + 1 < factors.size() && equal(factors[i].expr, factors[i + 1].expr);
      result = result * (twice ? square(factors[i].values) : factors[i].values);
      if (twice) ++i;
    }
    return result;
  }

  ValueSet quotient(const Expr& e) {
    const ValueSet a = of_argument(e, 0);
    const ValueSet b = of_argument(e, 1);
    if (b.zero && !found_) found_ = ZeroDivisor{.path = path_, .division = e, .values = b};
    if (e.op() == Op::remainder) return remainder(a, b);
    return e.type().scalar == ScalarType::integer ? truncated(a / b) : a / b;
  }

  ValueSet choice(const Expr& e) {
    const Consequences told = at_argument(e, 0, [&](const Expr& arg) { return condition(arg); });
    const ValueSet if_true = under(told.if_true, [&] { return of_argument(e, 1); });
    return either(if_true, under(told.if_false, [&] { return of_argument(e, 2); }));
  }

  Consequences condition(const Expr& e) {
    const auto of = [&](std::size_t index) {
      return at_argument(e, index, [&](const Expr& arg) { return condition(arg); });
    };
    switch (e.op()) {
      case Op::named:
        return of(0);
      case Op::logical_not:
        return negated(of(0));
      case Op::logical_and: {
        Consequences left = of(0);
        const Consequences right = under(left.if_true, [&] { return of(1); });
        return consequences_of_and(std::move(left), right);
      }
      case Op::logical_or: {  // neither being true is what it says where it is false
        Consequences left = negated(of(0));
        const Consequences right = under(left.if_true, [&] { return negated(of(1)); });
        return negated(consequences_of_and(std::move(left), right));
      }
      case Op::less:
      case Op::less_equal:
      case Op::equal: {
        const ValueSet a = of_argument(e, 0);
        return consequences_of_comparison(e, a, of_argument(e, 1));
      }
      default:
        return {};
    }
  }

  static Consequences negated(Consequences told) {
    std::swap(told.if_true, told.if_false);
    return told;
  }

  bool causal_;
  Facts facts_;
  std::vector<std::size_t> path_;
  std::optional<ZeroDivisor> found_;
};

}  // namespace

std::optional<ValueSet> values_of_index_sum(const Expr& expr, bool causal) {
  const auto sum = linear_sum(expr);
  return sum ? index_sum(expr, *sum, causal) : std::nullopt;
}

std::optional<ZeroDivisor> find_zero_divisor(const Expr& bias, bool causal) {
  Analysis analysis(causal);
  analysis.run(bias);
  return analysis.found();
}

}  // namespace flashbias::codegen
