#include "codegen/value_set.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace flashbias::codegen {
namespace {

/// What arithmetic makes of bounds, those that it lost (infinity - infinity) included. Finite numbers make finite ones.
ValueSet computed(double low, double high, bool zero, bool finite) {
  if (std::isnan(low)) low = -kInfinity;
  if (std::isnan(high)) high = kInfinity;
  if (finite) {
    low = std::clamp(low, -kNoBound, kNoBound);
    high = std::clamp(high, -kNoBound, kNoBound);
  }
  return between(low, high, zero);
}

bool contains_zero(const ValueSet& a) { return a.low <= 0 && a.high >= 0; }

/// A function that never falls and has no bound where its argument has none.
double rising(double (*function)(double), double bound) { return bound >= kNoBound ? bound : function(bound); }

ValueSet reciprocal_of_positive(const ValueSet& a) {
  const double low = a.high >= kNoBound ? 0 : 1 / a.high;
  const double high = a.low > 0 ? std::min(1 / a.low, kNoBound) : kNoBound;
  return between(low, high, /*zero=*/std::isinf(a.high));
}

ValueSet reciprocal(const ValueSet& a) {
  if (a.low >= 0) return reciprocal_of_positive(a);
  if (a.high <= 0) return -reciprocal_of_positive(-a);
  return {.zero = !a.finite()};
}

}  // namespace

double times(double a, double b) { return a == 0 || b == 0 ? 0 : a * b; }

bool ValueSet::finite() const noexcept { return std::isfinite(low) && std::isfinite(high); }

ValueSet between(double low, double high, bool zero) { return {low, high, zero && low <= 0 && high >= 0}; }

ValueSet not_zero() { return {.low = -kInfinity, .high = kInfinity, .zero = false}; }

ValueSet common(const ValueSet& a, const ValueSet& b) {
  const ValueSet both = between(std::max(a.low, b.low), std::min(a.high, b.high), a.zero && b.zero);
  const bool empty = both.low > both.high || (both.low == 0 && both.high == 0 && !both.zero);
  return empty ? a : both;
}

ValueSet either(const ValueSet& a, const ValueSet& b) {
  return between(std::min(a.low, b.low), std::max(a.high, b.high), a.zero || b.zero);
}

ValueSet integers(const ValueSet& a) {
  ValueSet result = a;
  if (!a.zero && a.low == 0) result.low = 1;
  if (!a.zero && a.high == 0) result.high = -1;
  return result.low <= result.high ? result : a;
}

ValueSet operator-(const ValueSet& a) { return {-a.high, -a.low, a.zero}; }

ValueSet operator+(const ValueSet& a, const ValueSet& b) {
  const bool one_sign = (a.low >= 0 && b.low >= 0) || (a.high <= 0 && b.high <= 0);
  return computed(a.low + b.low, a.high + b.high, !one_sign || (a.zero && b.zero), a.finite() && b.finite());
}

ValueSet operator*(const ValueSet& a, const ValueSet& b) {
  const auto [low, high] =
      std::minmax({times(a.low, b.low), times(a.low, b.high), times(a.high, b.low), times(a.high, b.high)});
  return computed(low, high, a.zero || b.zero, a.finite() && b.finite());
}

ValueSet operator/(const ValueSet& a, const ValueSet& b) { return a * reciprocal(b); }

ValueSet square(const ValueSet& a) {
  const ValueSet magnitude = abs(a);
  return magnitude * magnitude;
}

ValueSet truncated(const ValueSet& a) { return between(std::trunc(a.low), std::trunc(a.high)); }

ValueSet remainder(const ValueSet& a, const ValueSet& b) {
  const double most = std::max(0.0, std::max(std::abs(b.low), std::abs(b.high)) - 1);
  return between(a.low >= 0 ? 0 : std::max(a.low, -most), a.high <= 0 ? 0 : std::min(a.high, most));
}

ValueSet min(const ValueSet& a, const ValueSet& b) { return -max(-a, -b); }

ValueSet max(const ValueSet& a, const ValueSet& b) {
  return between(std::max(a.low, b.low), std::max(a.high, b.high), a.zero || b.zero);
}

ValueSet abs(const ValueSet& a) {
  const double least = contains_zero(a) ? 0 : std::min(std::abs(a.low), std::abs(a.high));
  return between(least, std::max(std::abs(a.low), std::abs(a.high)), a.zero);
}

ValueSet sqrt(const ValueSet& a) {
  const auto root = [](double x) { return std::sqrt(x); };
  return between(rising(root, std::max(a.low, 0.0)), rising(root, std::max(a.high, 0.0)), a.zero);
}

ValueSet exp(const ValueSet& a) {
  const auto power = [](double x) { return std::exp(x); };
  return computed(power(a.low), rising(power, a.high), /*zero=*/std::isinf(a.low), a.finite());
}

ValueSet log(const ValueSet& a) {
  if (a.high <= 0) return between(-kInfinity, kInfinity);
  const auto logarithm = [](double x) { return std::log(x); };
  const double least = a.zero || a.low < 0 ? -kInfinity : -kNoBound;
  return between(a.low > 0 ? rising(logarithm, a.low) : least, rising(logarithm, a.high));
}

ValueSet atan2(const ValueSet& y, const ValueSet& x) {
  constexpr double kPi = std::numbers::pi;
  return between(y.low >= 0 ? 0 : -kPi, y.high <= 0 && (x.low >= 0 || !y.zero) ? 0 : kPi,
                 (y.zero || std::isinf(x.high)) && x.high >= 0);
}

std::string to_string(const ValueSet& values) {
  const auto bound = [](double x) {
    if (std::abs(x) < kNoBound) return fmt::format("{}", x);
    return std::string(x < 0 ? "-infinity" : "infinity");
  };
  return fmt::format("between {} and {}", bound(values.low), bound(values.high));
}

}  // namespace flashbias::codegen
