#pragma once

#include <functional>

#include "codegen/key_range.hpp"
#include "flashbias/bias.hpp"

namespace flashbias::codegen {

/// Finds out which keys a condition can hold for. Ranges come from comparisons of integers that are linear in kv_index,
/// or in kv_index divided by a literal, with integers that do not vary with the key, and from their combinations by
/// logic, abs, min and max, and from conditions that are the same for all scores of a head. Of all else nothing is
/// known.
class VisibleKeys {
 public:
  /// Under a causal mask only keys up to the query's position count.
  explicit VisibleKeys(bool causal) : causal_(causal) {}

  /// Keys of a query outside which `condition` is not `value`.
  [[nodiscard]] KeyRange where(const Expr& condition, bool value);

 private:
  using Combine = KeyRange (*)(const KeyRange&, const KeyRange&);
  using Compare = std::function<KeyRange(const Expr&)>;

  KeyRange where_less(const Expr& a, const Expr& b, bool or_equal);
  [[nodiscard]] KeyRange with_absolute(const Expr& number, Combine combine, const Compare& compare) const;

  bool causal_;
  int comparisons_left_ = 64;  ///< abs, min and max double them
};

}  // namespace flashbias::codegen
