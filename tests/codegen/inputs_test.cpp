#include "codegen/inputs.hpp"

#include <doctest/doctest.h>

#include "tests/errors.hpp"

using namespace flashbias;
using namespace flashbias::bias;
using codegen::collect_inputs;
using testing::message_of;

TEST_CASE("inputs are listed in order of first appearance") {
  const Expr bias = squared_distance(3) + table("t", 9, head()) * head_scalar("w") + dense() + key_padding_mask() +
                    query_input("q_positions", 3)[0];
  const std::vector<InputSpec> expected{
      {Op::head_scalar, "distance_weight", DType::f32, 1},
      {Op::query_input, "q_positions", DType::f32, 3},
      {Op::key_input, "k_positions", DType::f32, 3},
      {Op::table, "t", DType::f32, 9},
      {Op::head_scalar, "w", DType::f32, 1},
      {Op::pair_input, "bias", DType::bf16, 1},
      {Op::key_input, "key_padding_mask", DType::u8, 1},
  };
  CHECK(collect_inputs(bias, DType::bf16) == expected);
  CHECK(collect_inputs(none(), DType::f16).empty());
}

TEST_CASE("one name is one input") {
  const auto conflict = [](const Expr& bias) {
    return message_of(ErrorCode::invalid_config, [&] { (void)collect_inputs(bias, DType::f16); });
  };
  CHECK(conflict(query_input("x") + key_input("x")) ==
        "the bias input 'x' is used both as `query_input(x)` and as `key_input(x)`; give one of them another name");
  CHECK(conflict(low_rank(8) + low_rank(16)) ==
        "the bias input 'q_factors' is used both as `query_input(q_factors, 8, like_q)` and as "
        "`query_input(q_factors, 16, like_q)`; give one of them another name");
  CHECK(
      conflict(pair_input("p") + pair_input("p", DType::f32)) ==
      "the bias input 'p' is used both as `pair_input(p)` and as `pair_input(p, f32)`; give one of them another name");
  CHECK(conflict(table("t", 4, head()) + table("t", 5, head())) ==
        "the bias input 't' is used both as `table(t, 4, head())` and as `table(t, 5, head())`; give one of them "
        "another name");
}

TEST_CASE("a table may be read at several indices") {
  CHECK(collect_inputs(table("t", 4, head()) + table("t", 4, batch()), DType::f16).size() == 1);
}

TEST_CASE("a dtype spelt out may be that of q") {
  CHECK(collect_inputs(pair_input("p") + pair_input("p", DType::f16), DType::f16).size() == 1);
}
