#include "tests/codegen/random_bias.hpp"

#include "tests/codegen/sampled_inputs.hpp"

namespace flashbias::testing {

using namespace bias;

Expr RandomBias::operator()() {
  Expr sum = term();
  for (int count = below(4); count > 0; --count) sum = below(4) == 0 ? sum - term() : sum + term();
  return sum;
}

Expr RandomBias::polynomial(int depth) {
  if (depth == 0) return leaf();
  switch (below(4)) {
    case 0:
      return polynomial(depth - 1) + polynomial(depth - 1);
    case 1:
      return polynomial(depth - 1) - polynomial(depth - 1);
    case 2:
      return polynomial(depth - 1) * polynomial(depth - 1);
    default:
      return -polynomial(depth - 1) / 4.0;
  }
}

Expr RandomBias::ranged(const Expr& input) { return below(2) == 0 ? input : input.range(-1, 1); }

Expr RandomBias::leaf() {
  switch (below(10)) {
    case 0:
    case 1:
      return ranged(query_input("x", 3))[below(3)];
    case 2:
    case 3:
      return ranged(key_input("y", 3))[below(3)];
    case 4:
      return ranged(query_input("w"));
    case 5:
      return ranged(key_input("m"));
    case 6:
      return ranged(head_scalar("a"));
    case 7:
      return real(below(2) == 0 ? q_index() : kv_index()) * 0.125;
    default:
      return {below(9) * 0.25 - 1};
  }
}

Expr RandomBias::mixed() {
  const Expr difference = query_input("x", 3) - key_input("y", 3);
  switch (below(10)) {
    case 0:
      return -head_scalar("a") * abs(q_position() - kv_index());
    case 1:
      return -query_input("w") * dot(difference, difference);
    case 2:
      return log(1.0 + dot(difference, difference));
    case 3:
      return exp(0.5 * (query_input("w") - key_input("m")));
    case 4:
      return cos(head_scalar("b") * (q_index() - kv_index()));
    case 5:
      return table("t", SampledInputs::kEntries, min(max(kv_index() - q_index() + 4, 0), 7));
    case 6:
      return pair_input("p", DType::f32);
    case 7:
      return select(key_input("mask", 1, DType::u8) == 0, -infinity(), 0.0);
    case 8:
      return head_scalar("b") * atan2(sqrt(dot(difference, difference)), 0.5 + query_input("w") * key_input("m"));
    default:
      return select(abs(q_index() - kv_index()) < 3 + below(4), polynomial(1), -infinity());
  }
}

Expr RandomBias::term() {
  switch (below(4)) {
    case 0:
      return mixed();
    case 1:
      return polynomial(1) * mixed();
    default:
      return polynomial(3);
  }
}

}  // namespace flashbias::testing
