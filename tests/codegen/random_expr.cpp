#include "tests/codegen/random_expr.hpp"

#include <cmath>
#include <limits>

namespace flashbias::testing {

using namespace bias;

Expr RandomExpr::number(int depth) {
  if (depth == 0) return leaf();
  const int next = depth - 1;
  switch (below(18)) {
    case 0:
      return number(next) + number(next);
    case 1:
      return number(next) - number(next);
    case 2:
      return number(next) * number(next);
    case 3:
      return real(number(next)) / divisor(next);
    case 4:
      return -number(next);
    case 5:
      return min(number(next), number(next));
    case 6:
      return max(number(next), number(next));
    case 7:
      return abs(number(next));
    case 8:
      return sqrt(number(next));
    case 9:
      return exp(number(next));
    case 10:
      return log(number(next));
    case 11:
      switch (below(3)) {
        case 0:
          return sin(number(next));
        case 1:
          return cos(number(next));
        default:
          return atan2(number(next), number(next));
      }
    case 12:
      return real(below(2) == 0 ? condition(next) : number(next));
    case 13:
      return select(condition(next), number(next), number(next));
    case 14:
      return dot(vector(next), vector(next));
    case 15:
      return vector(next)[below(3)];
    case 16:
      return table("t", 1 + below(9), integer(next), below(2) == 0 ? std::nullopt : std::optional(DType::bf16));
    default:
      return integer(next);
  }
}

Expr RandomExpr::divisor(int depth) {
  const Expr expr = number(depth);
  switch (below(5)) {
    case 0:
      return 1.0 + exp(expr);
    case 1:
      return max(expr, 0.125);
    case 2:
      return 1 + abs(expr);
    case 3:
      return select(expr == 0.0, 1.0, expr);
    default: {
      const bool zero = equal(real(expr), 0.0) || equal(real(expr), -0.0);
      return zero ? 2.0 : expr;
    }
  }
}

Expr RandomExpr::integer(int depth) {
  if (depth == 0) return below(3) == 0 ? Expr(below(200) - 100) : kv_index() - q_position();
  const int next = depth - 1;
  switch (below(6)) {
    case 0:
      return integer(next) / (1 + below(7));
    case 1:
      return integer(next) % (below(4) == 0 ? integer(next) + 1000 : max(integer(next), 1));
    case 2:
      return integer(next) * integer(next);
    case 3:
      return integer(next) - integer(next);
    case 4:
      return -integer(next);
    default:
      return select(condition(next), integer(next), integer(next));
  }
}

Expr RandomExpr::vector(int depth) {
  if (depth == 0) {
    return below(2) == 0 ? query_input("x", 3) : key_input("y", 3, below(2) == 0 ? DType::i32 : DType::f16);
  }
  const int next = depth - 1;
  switch (below(4)) {
    case 0:
      return vector(next) - vector(next);
    case 1:
      return number(next) * vector(next);
    case 2:
      return abs(vector(next));
    default:
      return -vector(next);
  }
}

Expr RandomExpr::condition(int depth) {
  if (depth == 0) return Expr(below(2) == 0);
  const int next = depth - 1;
  switch (below(9)) {
    case 0:
      return number(next) < number(next);
    case 1:
      return number(next) <= number(next);
    case 2:
      return number(next) > number(next);
    case 3:
      return number(next) >= number(next);
    case 4:
      return number(next) == number(next);
    case 5:
      return number(next) != number(next);
    case 6:
      return condition(next) && condition(next);
    case 7:
      return condition(next) || condition(next);
    default:
      return !condition(next);
  }
}

Expr RandomExpr::leaf() {
  switch (below(10)) {
    case 0:
      return q_index();
    case 1:
      return kv_length() - q_length();
    case 2:
      return head() + batch();
    case 3:
      return head_scalar("slopes");
    case 4:
      return query_input("w", 1, below(2) == 0 ? DType::u8 : DType::f32);
    case 5:
      return key_input("mask", 1, std::nullopt);
    case 6:
      return pair_input("p", below(2) == 0 ? std::nullopt : std::optional(DType::f32));
    case 7:
      return {below(2'000'000) - 1'000'000};
    case 8:
      return named();
    default:
      return {literal()};
  }
}

Expr RandomExpr::named() {
  switch (below(13)) {
    case 0:
      return alibi();
    case 1:
      return relative_position(1 + below(100));
    case 2:
      return t5_relative_position(32, 128, below(2) == 0);
    case 3:
      return window_relative_position(1 + below(30), 1 + below(30));
    case 4:
      return earth_relative_position(2, 6, 12);
    case 5:
      return squared_distance(1 + below(4), static_cast<DistanceWeight>(below(4)));
    case 6:
      return low_rank(1 + below(128));
    case 7:
      return low_rank(8, DType::f32);
    case 8:
      return dense();
    case 9:
      return dense(DType::bf16);
    case 10:
      return none();
    case 11:
      return approximate(integer(below(2)), 1 + below(128), below(2) == 0 ? std::nullopt : std::optional(DType::f32));
    default:
      return key_padding_mask();
  }
}

double RandomExpr::literal() {
  const double sign = below(2) == 0 ? 1 : -1;
  switch (below(4)) {
    case 0:
      return sign * below(10);
    case 1:
      return sign * std::numeric_limits<double>::infinity();
    case 2:
      return sign * std::ldexp(std::uniform_real_distribution(0.5, 1.0)(random_), below(2000) - 1000);
    default:
      return sign * below(1000) / 8;
  }
}

}  // namespace flashbias::testing
