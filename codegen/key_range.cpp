#include "codegen/key_range.hpp"

#include "codegen/index_algebra.hpp"

namespace flashbias::codegen {
namespace {

/// An end is computed twice a thread block, and for each row of the tiles that it crosses.
constexpr int kMaxNodesOfEnd = 64;

bool can_be_end(const Expr& expr) {
  return expr.node().nodes <= kMaxNodesOfEnd && monotonicity_along_queries(expr) != Monotonicity::mixed;
}

using End = std::optional<Expr>;
using Choose = Expr (*)(const Expr&, const Expr&);

/// One of two ends, by `min` or `max`, the same in either order.
Expr choose(Choose min_or_max, const Expr& a, const Expr& b) {
  if (equal(a, b)) return a;
  return to_string(a) < to_string(b) ? min_or_max(a, b) : min_or_max(b, a);
}

/// The tighter of two ends, either of which may be absent.
End tighter(Choose min_or_max, const End& a, const End& b) {
  if (a && b) return choose(min_or_max, *a, *b);
  return a ? a : b;
}

/// The wider of two ends.
End wider(Choose min_or_max, const End& a, const End& b) {
  if (!a || !b) return std::nullopt;
  const Expr end = choose(min_or_max, *a, *b);
  return can_be_end(end) ? End(end) : std::nullopt;
}

bool is_causal_end(const Expr& end) {
  if (end.op() == Op::minimum) return is_causal_end(end.arg(0)) || is_causal_end(end.arg(1));
  const auto form = linear_form(end);
  return form && form->constant <= 1 &&
         *form == LinearForm{.constant = form->constant, .q = 1, .q_length = -1, .kv_length = 1};
}

}  // namespace

bool narrow(KeyRange& range, const KeyRange& by) {
  const End first = tighter(flashbias::max, range.first, by.first);
  const End end = tighter(flashbias::min, range.end, by.end);
  if ((first && !can_be_end(*first)) || (end && !can_be_end(*end))) return false;
  range = {
      .first = first, .end = end, .exact = range.exact && by.exact, .all_or_none = range.all_or_none && by.all_or_none};
  return true;
}

KeyRange hull(const KeyRange& a, const KeyRange& b) {
  const End first = wider(flashbias::min, a.first, b.first);
  const End end = wider(flashbias::max, a.end, b.end);
  const bool kept = (first || !a.first || !b.first) && (end || !a.end || !b.end);
  // Between two ranges there may be a gap, unless both reach to the same side, or one of them to both sides or nowhere.
  const bool one_range = (!a.first && !b.first) || (!a.end && !b.end) || a.all_or_none || b.all_or_none;
  return {.first = first,
          .end = end,
          .exact = a.exact && b.exact && kept && one_range,
          .all_or_none = a.all_or_none && b.all_or_none};
}

bool is_causal(const KeyRange& range) { return range.end && is_causal_end(*range.end); }

std::string to_string(const KeyRange& range) {
  return "[" + to_string(range.first.value_or(Expr(0))) + ", " + to_string(range.end.value_or(bias::kv_length())) + ")";
}

}  // namespace flashbias::codegen
