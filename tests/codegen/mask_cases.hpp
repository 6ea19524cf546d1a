#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "codegen/key_range.hpp"
#include "flashbias/bias.hpp"
#include "flashbias/reference.hpp"
#include "tests/filled_tensor.hpp"

namespace flashbias::testing {

/// A condition of the masks that people use, and whether a causal mask is beside it.
struct MaskCase {
  Expr seen;
  bool causal = false;
};

/// They read the integer head scalars `width` and `prefix`.
inline std::vector<MaskCase> common_masks() {
  using namespace bias;
  const Expr distance = q_position() - kv_index();
  const Expr width = head_scalar("width", DType::i32);
  const Expr prefix = head_scalar("prefix", DType::i32);
  return {
      {kv_index() <= q_position()},
      {distance < 3, true},
      {abs(distance) < 3, true},
      {abs(distance) < 3},
      {abs(q_index() - kv_index()) <= 4},
      {-2 <= distance && distance < 5},
      {max(distance, 2 * -distance) < 6},
      {distance < width && kv_index() <= q_position()},
      {abs(distance) < width},
      {!(2 * width <= abs(distance))},
      {real(abs(distance)) < 3.5},
      {kv_index() < prefix || kv_index() <= q_position()},
      {kv_index() < prefix},
      {!(kv_index() < prefix)},
      {q_index() / 4 == kv_index() / 4},
      {q_index() / 4 == kv_index() / 4, true},
      {kv_index() / 3 <= q_index() / 4 && kv_index() / 3 > q_index() / 4 - 2},
      {kv_index() / 2 == q_index()},
      {2 * kv_index() <= 3 * q_index() - 4},
      {-3 * kv_index() < 7 - 2 * q_position()},
      {kv_length() - 1 - kv_index() <= q_length() - q_index()},
      {abs(q_index() + kv_index() - kv_length()) < 4},
      {head() == 1 || abs(distance) < 3},
      {head() == 0 && distance < 3, true},
      {batch() + head() < 1 || kv_index() <= q_position()},
  };
}

/// Head scalars of two heads and two batch items, small enough to matter and not.
struct MaskInputs {
  FilledTensor width{DType::i32, {2, 2}, {1, 3, 0, 100}};
  FilledTensor prefix{DType::i32, {2, 2}, {2, 0, -5, 6}};

  [[nodiscard]] reference::Inputs bound() const { return {{"width", width}, {"prefix", prefix}}; }
};

/// Ends of a range of keys at a query.
struct Ends {
  std::int64_t first = 0;
  std::int64_t end = 0;

  [[nodiscard]] bool contain(std::int64_t key) const { return first <= key && key < end; }
};

inline Ends ends_at(const codegen::KeyRange& range, const reference::Point& query, const reference::Inputs& inputs) {
  const auto value = [&](const Expr& end) {
    return static_cast<std::int64_t>(reference::evaluate(end, query, inputs));
  };
  return {.first = range.first ? std::max<std::int64_t>(0, value(*range.first)) : 0,
          .end = range.end ? value(*range.end) : query.kv_length};
}

}  // namespace flashbias::testing
