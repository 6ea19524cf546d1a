#include <doctest/doctest.h>

#include <string>

#include "flashbias/plan.hpp"
#include "tests/errors.hpp"

using namespace flashbias;
using namespace flashbias::bias;
using testing::message_of;
using testing::says;

namespace {

std::string plan_refusal(const Expr& bias) {
  return message_of(ErrorCode::invalid_config, [&] { (void)plan({.head_dim = 64, .bias = bias, .arch = Arch{90}}); });
}

void check_planned(const Expr& bias) {
  CAPTURE(to_string(bias));
  CHECK_NOTHROW((void)plan({.head_dim = 64, .bias = bias, .arch = Arch{90}}));
}

}  // namespace

TEST_CASE("a table that no score reads within its entries is refused") {
  CHECK(plan_refusal(table("t", 10, kv_index() * 0 + 20)) ==
        "bias: table 't' has entries 0 to 9, and its index `kv_index() * 0 + 20` is 20: outside at every score. Give "
        "the table more entries or move the index into them");
  CHECK(
      says(plan_refusal(table("t", 10, max(q_index(), 5) + 5)), "its index `max(q_index(), 5) + 5` is 10 to 16777220"));
  CHECK(says(plan_refusal(table("t", 10, -1 - kv_index())), "is -16777216 to -1: outside"));
  CHECK(says(plan_refusal(alibi() + exp(table("t", 10, 10) * 2.0)), "table 't'"));
}

TEST_CASE("a declared range proves that an index is outside, wherever it is declared") {
  const Expr level = query_input("level", 1, DType::i32);
  CHECK(says(plan_refusal(table("t", 4, level.range(5, 9))), "table 't' has entries 0 to 3, and its index"));
  CHECK(says(plan_refusal(table("t", 4, level) + level.range(5, 9)), "is 5 to 9: outside at every score"));
  check_planned(table("t", 4, level.range(3, 9)));
}

TEST_CASE("an index that may leave its table is clamped if asked, and reads the nearest entry otherwise") {
  const auto reads_nearest = [](const Expr& bias) {
    const std::string text = explain(plan({.head_dim = 64, .bias = bias, .arch = Arch{90}}));
    return text.find("        table t: an index outside 0 to 9 reads the nearest entry\n") != std::string::npos;
  };
  const Expr index = query_input("level", 1, DType::i32) - key_input("level_k", 1, DType::i32);
  CHECK(reads_nearest(table("t", 10, index)));
  CHECK(reads_nearest(alibi() - table("t", 10, index) * table("t", 10, index + 1)));
  CHECK_FALSE(reads_nearest(table("t", 10, clamp(index, 0, 9))));
  CHECK(reads_nearest(table("t", 10, clamp(index, 0, 10))));
  CHECK(reads_nearest(table("t", 10, min(index, 9))));
  CHECK_FALSE(reads_nearest(table("t", 10, kv_index() % 10)));
  CHECK_FALSE(reads_nearest(table("t", 10, key_input("level_k", 1, DType::i32).range(0, 9))));
}

TEST_CASE("a table that some score may read within its entries is clamped") {
  check_planned(table("t", 10, kv_index()));
  check_planned(table("t", 10, min(kv_index(), 0) + 9));
  check_planned(table("t", 10, -kv_index()));
  check_planned(table("t", 10, head() + 10));  // heads may be of any number, so nothing is proved
}

TEST_CASE("a literal beyond what kernels compute in is refused") {
  CHECK(says(plan_refusal(kv_index() * 2147483648), "the integer 2147483648 does not fit the 32 bits"));
  CHECK(says(plan_refusal(kv_index() - 2147483648), "(-2147483647 to 2147483647); write it as a real"));
  CHECK(says(plan_refusal(kv_index() * 1e39), "the number 1e+39 is beyond what kernels compute reals in, f32"));
  CHECK(says(plan_refusal(kv_index() * -1e300), "write infinity"));
  check_planned(kv_index() * 2147483647 - 2147483647);
  check_planned(min(kv_index() * 3e38, infinity()));
  check_planned(alibi() * 2147483648);  // beside a real it is one
}
