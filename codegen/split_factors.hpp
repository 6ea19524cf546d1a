#pragma once

#include <optional>
#include <string>
#include <vector>

#include "codegen/separation.hpp"
#include "flashbias/types.hpp"

namespace flashbias::codegen {

/// Factors that the kernel computes in f32 and hands to the tensor cores as sums of 16-bit parts: with f = f0 + f1 +
/// ... and g likewise, each part what the ones before it leave over, f * g is the sum of those f_a * g_b with a + b <
/// parts. Each of these products is a column of the inner product.
struct SplitFactors {
  std::vector<Separation::Factor> factors;  ///< scaled by powers of two so that both sides fit the parts
  DType part = DType::f16;
  int parts = 2;
  double error = 0;  ///< bound of |computed - exact| of their sum, with what the query or the key alone adds

  [[nodiscard]] int rank() const { return static_cast<int>(factors.size()); }
  [[nodiscard]] int columns() const { return rank() * parts * (parts + 1) / 2; }
  [[nodiscard]] int steps() const { return (columns() + 15) / 16; }  ///< of the tensor cores
};

/// The most by which a score may be off so that the output stays within 1.5 times the error of its rounding
/// (docs/exactness.md).
[[nodiscard]] double score_error_budget(DType output);

/// The cheapest split whose error bound is within the budget over the declared ranges, with as many parts as its
/// tensor-core steps have room for. Nothing where there is none.
[[nodiscard]] std::optional<SplitFactors> split_within(const Separation& separation, double budget);

/// The bound where the products are taken in f32 instead.
[[nodiscard]] double error_of_products(const Separation& separation);

/// A split that loses nothing beyond what f32 itself does, at any magnitude: for sums of products that f32 would add up
/// one by one, too.
[[nodiscard]] SplitFactors split_like_f32(const Separation& separation);

}  // namespace flashbias::codegen
