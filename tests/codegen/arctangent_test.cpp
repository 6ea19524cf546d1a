#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

// The device code itself, as it stands in templates/.
#include "device_on_host/arctangent.cuh"

namespace flashbias::testing {
namespace {

/// In units of the last place of the exact angle.
double error_of(float y, float x) {
  const double exact = std::atan2(static_cast<double>(y), static_cast<double>(x));
  const auto rounded = static_cast<float>(exact);
  const double unit = std::nextafter(std::fabs(rounded), std::numeric_limits<float>::infinity()) - std::fabs(rounded);
  return std::fabs(arctangent(y, x) - exact) / unit;
}

}  // namespace

TEST_CASE("the arctangent of the kernels is right to four units of the last place, in every quadrant and size") {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::uniform_real_distribution<float> exponent(-60, 60);
  double worst = 0;
  for (int i = 0; i < 300000; ++i) {
    const double error = error_of(normal(random) * std::exp2(exponent(random) / 8), normal(random));
    REQUIRE(!std::isnan(error));
    worst = std::max(worst, error);
  }
  CHECK(worst <= 4);
  CHECK(worst > 0.5);  // that of rounding alone
}

TEST_CASE("the arctangent has the values of atan2 where an operand is zero, infinite or no number") {
  constexpr float kInfinite = std::numeric_limits<float>::infinity();
  constexpr float kNoNumber = std::numeric_limits<float>::quiet_NaN();
  for (const float y : {0.0F, -0.0F, 1.0F, -1.0F, kInfinite, -kInfinite})
    for (const float x : {0.0F, -0.0F, 1.0F, -1.0F, kInfinite, -kInfinite}) {
      CAPTURE(y);
      CAPTURE(x);
      CHECK(std::fabs(arctangent(y, x) - std::atan2(y, x)) <= 3e-7F);
      CHECK(std::signbit(arctangent(y, x)) == std::signbit(y));
    }
  CHECK(std::isnan(arctangent(kNoNumber, 1)));
  CHECK(std::isnan(arctangent(1, kNoNumber)));
}

}  // namespace flashbias::testing
