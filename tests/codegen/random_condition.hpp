#pragma once

#include <iterator>
#include <random>

#include "flashbias/bias.hpp"

namespace flashbias::testing {

/// Random integers and conditions that read indices, lengths and integer head scalars; some tell a range of keys, some
/// do not.
class RandomCondition {
 public:
  explicit RandomCondition(unsigned seed) : random_(seed) {}

  Expr condition(int depth) {
    if (depth == 0) return comparison();
    switch (below(5)) {
      case 0:
        return condition(depth - 1) && condition(depth - 1);
      case 1:
        return condition(depth - 1) || condition(depth - 1);
      case 2:
        return !condition(depth - 1);
      default:
        return comparison();
    }
  }

  Expr integer(int depth) {
    if (depth == 0) return leaf();
    switch (below(9)) {
      case 0:
        return integer(depth - 1) + integer(depth - 1);
      case 1:
      case 2:
        return integer(depth - 1) - integer(depth - 1);
      case 3:
        return abs(integer(depth - 1));
      case 4:
        return below(2) == 0 ? (below(7) - 3) * integer(depth - 1) : integer(depth - 1) * (below(7) - 3);
      case 5:
        return integer(depth - 1) / (1 + below(4));
      case 6:
        return integer(depth - 1) % (1 + below(4));
      case 7:
        return min(integer(depth - 1), integer(depth - 1));
      default:
        return max(integer(depth - 1), integer(depth - 1));
    }
  }

  int below(int end) { return std::uniform_int_distribution(0, end - 1)(random_); }

 private:
  Expr comparison() {
    const Expr a = integer(below(4));
    const Expr b = integer(below(3));
    switch (below(5)) {
      case 0:
        return a < b;
      case 1:
        return a <= b;
      case 2:
        return a == b;
      case 3:
        return a != b;
      default:
        return real(a) > 0.5 * below(10);
    }
  }

  Expr leaf() {
    using namespace bias;
    const Expr leaves[] = {kv_index(),
                           kv_index(),
                           q_index(),
                           q_position(),
                           kv_length(),
                           q_length(),
                           head_scalar("width", DType::i32),
                           head_scalar("prefix", DType::i32),
                           head(),
                           batch(),
                           below(9) - 3};
    return leaves[below(static_cast<int>(std::size(leaves)))];
  }

  std::mt19937 random_;
};

}  // namespace flashbias::testing
