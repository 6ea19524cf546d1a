#include "tests/codegen/sampled_inputs.hpp"

#include <stdexcept>
#include <string>

namespace flashbias::testing {

SampledInputs::SampledInputs(unsigned seed, double extent)
    : x_(kTokens * 3), y_(kTokens * 3), w_(kTokens), m_(kTokens), a_(1), b_(1), t_(kEntries), p_(kTokens * kTokens) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(static_cast<float>(-extent), static_cast<float>(extent));
  for (auto* numbers : {&x_, &y_, &w_, &m_, &a_, &b_, &t_, &p_})
    for (float& number : *numbers) number = uniform(random);
  for (int i = 0; i < kTokens; ++i) mask_.push_back(random() % 4 != 0 ? 1 : 0);
  const auto tokens = [](std::vector<float>& numbers, std::int64_t dims) {
    return TensorView::contiguous(numbers.data(), DType::f32, {1, kTokens, 1, dims});
  };
  inputs_ = {{"x", tokens(x_, 3)},
             {"y", tokens(y_, 3)},
             {"w", tokens(w_, 1)},
             {"m", tokens(m_, 1)},
             {"mask", TensorView::contiguous(mask_.data(), DType::u8, {1, kTokens, 1, 1})},
             {"a", TensorView::contiguous(a_.data(), DType::f32, {1})},
             {"b", TensorView::contiguous(b_.data(), DType::f32, {1})},
             {"t", TensorView::contiguous(t_.data(), DType::f32, {1, 1, kEntries})},
             {"p", TensorView::contiguous(p_.data(), DType::f32, {1, 1, kTokens, kTokens})}};
  for (std::size_t component = 0; component < units_.size(); ++component) {
    units_[component].resize(kTokens * 3);
    for (std::size_t i = component; i < units_[component].size(); i += 3) units_[component][i] = 1;
    for (const char* side : {"q_unit_", "k_unit_"})
      inputs_.emplace(side + std::to_string(component), tokens(units_[component], 3));
  }
}

float SampledInputs::number(const ExprNode& input, std::int64_t component, std::int64_t i, std::int64_t j) const {
  const auto at = [](const std::vector<float>& numbers, std::int64_t index) {
    return numbers.at(static_cast<std::size_t>(index));
  };
  if (input.name == "x") return at(x_, 3 * i + component);
  if (input.name == "y") return at(y_, 3 * j + component);
  if (input.name == "w") return at(w_, i);
  if (input.name == "m") return at(m_, j);
  if (input.name == "a") return at(a_, 0);
  if (input.name == "b") return at(b_, 0);
  throw std::invalid_argument(input.name);
}

}  // namespace flashbias::testing
