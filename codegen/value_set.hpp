#pragma once

#include <limits>
#include <string>

/// What an exact number of a bias may be, from what is declared of its inputs: an interval with or without 0.
namespace flashbias::codegen {

/// Stands for no bound, of numbers that are finite none the less. Infinity is a bound of what may be infinite itself.
inline constexpr double kNoBound = std::numeric_limits<double>::max();

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// A product of bounds: 0 times what has no bound is 0.
[[nodiscard]] double times(double a, double b);

/// Every number from low to high, or every one but 0.
struct ValueSet {
  double low = -kNoBound;
  double high = kNoBound;
  bool zero = true;  ///< 0 is one of them; never where 0 is outside the bounds

  [[nodiscard]] bool finite() const noexcept;
  [[nodiscard]] bool only_zero() const noexcept { return zero && low == 0 && high == 0; }
};

/// From low to high, 0 left out where `zero` says so.
[[nodiscard]] ValueSet between(double low, double high, bool zero = true);
/// Every number but 0.
[[nodiscard]] ValueSet not_zero();

/// What is in both; `a` where nothing is, so that what cannot happen is judged like everything else.
[[nodiscard]] ValueSet common(const ValueSet& a, const ValueSet& b);
[[nodiscard]] ValueSet either(const ValueSet& a, const ValueSet& b);
/// The integers among them.
[[nodiscard]] ValueSet integers(const ValueSet& a);

[[nodiscard]] ValueSet operator-(const ValueSet& a);
[[nodiscard]] ValueSet operator+(const ValueSet& a, const ValueSet& b);
[[nodiscard]] ValueSet operator*(const ValueSet& a, const ValueSet& b);
/// Wherever the divisor is not 0.
[[nodiscard]] ValueSet operator/(const ValueSet& a, const ValueSet& b);
/// Of a number by itself, which is never negative.
[[nodiscard]] ValueSet square(const ValueSet& a);
[[nodiscard]] ValueSet truncated(const ValueSet& a);
[[nodiscard]] ValueSet remainder(const ValueSet& a, const ValueSet& b);

[[nodiscard]] ValueSet min(const ValueSet& a, const ValueSet& b);
[[nodiscard]] ValueSet max(const ValueSet& a, const ValueSet& b);
[[nodiscard]] ValueSet abs(const ValueSet& a);
[[nodiscard]] ValueSet sqrt(const ValueSet& a);
[[nodiscard]] ValueSet exp(const ValueSet& a);
[[nodiscard]] ValueSet log(const ValueSet& a);
[[nodiscard]] ValueSet atan2(const ValueSet& y, const ValueSet& x);

/// `between -1 and infinity`.
[[nodiscard]] std::string to_string(const ValueSet& values);

}  // namespace flashbias::codegen
