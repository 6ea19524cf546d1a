#include "codegen/split_factors.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "codegen/error_bound.hpp"

namespace flashbias::codegen {
namespace {

constexpr int kMaxParts = 3;
/// What a tensor-core step of 16 products may lose of the sum so far: products are exact, sums are cut to f32.
constexpr double kStepRounding = 0x1p-22;
/// Query factors are divided by the softmax scale, which is about this for the head dimensions in use.
constexpr double kUsualSoftmaxScale = 0x1p-3;

struct PartType {
  double rounding;     ///< relative
  double least_error;  ///< absolute: half the least number
};

constexpr PartType kF16{0x1p-11, 0x1p-25};

/// What a number of this magnitude may be off as a sum of parts; its own error included.
double error_of_parts(const F32Value& value, const PartType& type, int parts) {
  return value.error + std::pow(type.rounding, parts) * value.magnitude() + type.least_error;
}

/// A factor's two sides with their values, brought to about the same magnitude.
struct Balanced {
  Separation::Factor factor;
  F32Value query, key;

  [[nodiscard]] double magnitude() const { return query.magnitude() * key.magnitude(); }

  [[nodiscard]] double error(const PartType& type, int parts) const {
    const double of_query = error_of_parts(query, type, parts);
    const double of_key = error_of_parts(key, type, parts);
    const double left_out = (parts - 1) * std::pow(type.rounding, parts) * magnitude();
    return query.magnitude() * of_key + key.magnitude() * of_query + of_query * of_key + left_out;
  }
};

F32Value scaled(F32Value value, double by) { return {value.low * by, value.high * by, value.error * by}; }

Expr times(const Expr& expr, double by) { return by == 1 ? expr : expr * by; }

Balanced balance(const Separation::Factor& factor) {
  Balanced result{factor, f32_value(factor.query), f32_value(factor.key)};
  result.query.error += result.query.magnitude() * kF32Rounding;  // of the division by the softmax scale
  const double query = result.query.magnitude() / kUsualSoftmaxScale;
  const double key = result.key.magnitude();
  if (query == 0 || key == 0 || !std::isfinite(query) || !std::isfinite(key)) return result;
  const double by = std::exp2(std::round(std::log2(key / query) / 2));
  result.factor = {times(factor.query, by), times(factor.key, 1 / by)};
  result.query = scaled(result.query, by);
  result.key = scaled(result.key, 1 / by);
  return result;
}

class Splitter {
 public:
  explicit Splitter(const Separation& separation) : key_only_(f32_value(separation.key_only)) {
    for (const Separation::Factor& factor : separation.factors) {
      factors_.push_back(balance(factor));
      magnitude_ += factors_.back().magnitude();
    }
  }

  [[nodiscard]] SplitFactors split(int parts) const {
    SplitFactors result{.factors = {}, .part = DType::f16, .parts = parts, .error = 0};
    for (const Balanced& each : factors_) result.factors.push_back(each.factor);
    for (const Balanced& each : factors_) result.error += each.error(kF16, parts);
    result.error += result.steps() * kStepRounding * magnitude_;
    result.error += key_only_.error + kF32Rounding * (magnitude_ + key_only_.magnitude());
    return result;
  }

 private:
  std::vector<Balanced> factors_;
  F32Value key_only_;
  double magnitude_ = 0;
};

}  // namespace

double score_error_budget(DType output) { return output == DType::bf16 ? 0x1p-10 : 0x1p-13; }

std::optional<SplitFactors> split_within(const Separation& separation, double budget) {
  const Splitter splitter(separation);
  std::optional<SplitFactors> best;
  for (int parts = 1; parts <= kMaxParts; ++parts) {
    SplitFactors split = splitter.split(parts);
    const bool exact = split.error <= budget;
    const bool costs_nothing_more = best && split.steps() == best->steps() && split.error < best->error;
    if (exact && (!best || costs_nothing_more)) best = std::move(split);
  }
  return best;
}

double error_of_products(const Separation& separation) {
  F32Value sum = f32_value(separation.key_only);
  for (const auto& [query, key] : separation.factors) {
    const F32Value product = f32_value(query * key);
    const double magnitude = sum.magnitude() + product.magnitude();
    sum = {sum.low + product.low, sum.high + product.high, sum.error + product.error + magnitude * kF32Rounding};
  }
  return sum.error;
}

SplitFactors split_like_f32(const Separation& separation) {
  return {.factors = separation.factors,
          .part = DType::bf16,
          .parts = kMaxParts,
          .error = std::numeric_limits<double>::infinity()};
}

}  // namespace flashbias::codegen
