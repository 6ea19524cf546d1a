#include "codegen/window.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <optional>

namespace flashbias::codegen {
namespace {

using namespace bias;

TEST_CASE("a window bias tells the tokens of its window") {
  CHECK(window_tokens(window_relative_position(24, 24)) == 576);
  CHECK(window_tokens(window_relative_position(7, 9)) == 63);
  CHECK(window_tokens(earth_relative_position(2, 6, 12)) == 144);
  CHECK(window_tokens(alibi() + window_relative_position(4, 4) + key_padding_mask()) == 16);
  CHECK(window_tokens(table("a", 4, q_index() % 4) + table("b", 6, kv_index() / 3 % 2)) == 12);
  CHECK(window_tokens(table("a", 9, (q_index() / 2 / 3 % 5) * 2 - kv_index() / 6 % 5 + 4)) == 30);
}

TEST_CASE("other biases have no window") {
  for (const Expr& expr : {none(), alibi(), relative_position(16), t5_relative_position(), dense(), low_rank(4),
                           table("a", 7, head() % 7), table("a", 9, kv_index()), table("a", 9, q_index() / 4),
                           table("a", 9, kv_index() % head()), table("a", 9, (q_index() + kv_index()) % 9),
                           table("a", 9, kv_index() % -3), table("a", 9, query_input("cell", 1, DType::i32) % 9),
                           table("a", 9, kv_index() / (std::int64_t{1} << 40) / (std::int64_t{1} << 40) % 9)})
    CHECK_MESSAGE(window_tokens(expr) == std::nullopt, to_string(expr));
}

}  // namespace
}  // namespace flashbias::codegen
