#pragma once

#include <map>
#include <string>

#include "flashbias/bias.hpp"

namespace flashbias::codegen {

/// Addends in an order of their own, so that one bias has one kernel however it was written.
class CanonicalSum {
 public:
  void add(const Expr& addend);
  /// The literal 0 where there is no addend.
  [[nodiscard]] Expr total() const;

 private:
  std::multimap<std::string, Expr> addends_;
};

}  // namespace flashbias::codegen
