#include <doctest/doctest.h>
#include <gmpxx.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

// The device code itself, as it stands in templates/.
#include "device_on_host/exact_sum.cuh"

namespace flashbias::testing {
namespace {

constexpr float kInfinite = std::numeric_limits<float>::infinity();
constexpr float kLargest = std::numeric_limits<float>::max();
constexpr float kSmallest = std::numeric_limits<float>::denorm_min();

using Words = std::array<u64, ExactSum::kWords>;

Words words_of(const std::vector<float>& addends) {
  Words words{};
  for (const float addend : addends) ExactSum::add(words.data(), addend);
  return words;
}

float sum_of(const std::vector<float>& addends) { return ExactSum::round(words_of(addends).data()); }

/// To the nearest f32, by way of numbers that hold the sum.
float exact_sum_of(const std::vector<float>& addends) {
  constexpr int kBits = 400;
  mpf_class sum(0, kBits);
  for (const float addend : addends) sum += mpf_class(static_cast<double>(addend), kBits);
  // mpf's conversion cuts off: of the two neighbours the nearer one, which is exact in double.
  const auto below = static_cast<float>(sum.get_d());
  float best = below;
  const auto distance = [&](float to) {
    return mpf_class(abs(sum - mpf_class(static_cast<double>(to), kBits)), kBits);
  };
  for (const float other : {std::nextafter(below, -kInfinite), std::nextafter(below, kInfinite)}) {
    if (std::isinf(other)) continue;
    const int order = cmp(distance(other), distance(best));
    if (order < 0 || (order == 0 && std::bit_cast<std::uint32_t>(other) % 2 == 0)) best = other;
  }
  return best;
}

/// Of all sizes, many of which cancel each other.
std::vector<float> random_addends(std::mt19937& random) {
  std::uniform_real_distribution<float> exponent(-150, 120);
  std::normal_distribution<float> normal;
  const float spread = std::uniform_real_distribution<float>(0, 60)(random);
  const float middle = exponent(random);
  std::vector<float> addends;
  for (int i = 0; i < 40; ++i) {
    addends.push_back(normal(random) * std::exp2(std::clamp(middle + spread * normal(random), -160.0F, 120.0F)));
    if (i % 3 == 0) addends.push_back(-addends[static_cast<std::size_t>(i) / 2]);
  }
  return addends;
}

}  // namespace

TEST_CASE("an exact sum is that of the addends rounded once, whatever their sizes") {
  std::mt19937 random(1);
  for (int i = 0; i < 3000; ++i) {
    const std::vector<float> addends = random_addends(random);
    const float expected = exact_sum_of(addends);
    CAPTURE(i);
    CHECK(sum_of(addends) == expected);
  }
}

TEST_CASE("an exact sum is the same words in whatever order addends come") {
  std::mt19937 random(2);
  for (int i = 0; i < 100; ++i) {
    std::vector<float> addends = random_addends(random);
    const Words words = words_of(addends);
    std::shuffle(addends.begin(), addends.end(), random);
    CHECK(words_of(addends) == words);
  }
}

TEST_CASE("an exact sum rounds halves to even, at the ends of what f32 has, too") {
  CHECK(sum_of({}) == 0.0F);
  CHECK(sum_of({1.0F, -1.0F}) == 0.0F);
  CHECK(sum_of({1.0F, 0x1p-24F}) == 1.0F);
  CHECK(sum_of({1.0F, 0x1p-24F, kSmallest}) == 1.0F + 0x1p-23F);
  CHECK(sum_of({1.0F + 0x1p-23F, 0x1p-24F}) == 1.0F + 0x1p-22F);
  CHECK(sum_of({-1.0F, -0x1p-24F, -kSmallest}) == -1.0F - 0x1p-23F);
  CHECK(sum_of({kSmallest, kSmallest}) == 2 * kSmallest);
  CHECK(sum_of({std::numeric_limits<float>::min(), -kSmallest}) == std::numeric_limits<float>::min() - kSmallest);
  CHECK(sum_of({kLargest}) == kLargest);
  CHECK(sum_of({kLargest, kLargest}) == kInfinite);
  CHECK(sum_of({-kLargest, -kLargest}) == -kInfinite);
  CHECK(sum_of({kLargest, kLargest, -kLargest}) == kLargest);
}

TEST_CASE("an exact sum with addends that are not finite is what any order of additions would give") {
  const float no_number = std::numeric_limits<float>::quiet_NaN();
  CHECK(sum_of({1.0F, kInfinite, kInfinite}) == kInfinite);
  CHECK(sum_of({-kInfinite, 1.0F}) == -kInfinite);
  CHECK(std::isnan(sum_of({kInfinite, -kInfinite})));
  CHECK(std::isnan(sum_of({1.0F, no_number})));
  CHECK(std::isnan(sum_of({no_number, kInfinite})));
}

}  // namespace flashbias::testing
