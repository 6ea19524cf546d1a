#include <doctest/doctest.h>

#include <limits>

#include "flashbias/bias.hpp"
#include "tests/errors.hpp"

using namespace flashbias;
using namespace flashbias::bias;
using testing::message_of;
using testing::says;

namespace {

std::string parse_error(std::string_view text) {
  return message_of(ErrorCode::parse, [&] { (void)parse_expr(text); });
}

}  // namespace

TEST_CASE("operators bind as in C") {
  const Expr i = q_index();
  const Expr j = kv_index();
  CHECK(equal(parse_expr("q_index() - kv_index() - 1"), (i - j) - 1));
  CHECK(equal(parse_expr("1 + q_index() * 2 % 3"), 1 + ((i * 2) % 3)));
  CHECK(equal(parse_expr("-q_index() * 2"), (-i) * 2));
  CHECK(equal(parse_expr("!(1 < 2) || 1 < 2 && 3 == q_index()"), !(Expr(1) < 2) || ((Expr(1) < 2) && (3 == i))));
  CHECK(equal(parse_expr("q_index() >= kv_index()"), i >= j));
  CHECK(equal(parse_expr(" ( q_index( ) )\n+1\t"), i + 1));
  CHECK(equal(parse_expr("-query_input(x, 3)[2]"), -(query_input("x", 3)[2])));
}

TEST_CASE("numbers are integers unless a point or an exponent says otherwise") {
  CHECK(equal(parse_expr("3"), 3));
  CHECK(equal(parse_expr("3.0"), 3.0));
  CHECK(equal(parse_expr("3."), 3.0));
  CHECK(equal(parse_expr(".5"), 0.5));
  CHECK(equal(parse_expr("1e-3"), 1e-3));
  CHECK(equal(parse_expr("-9223372036854775808"), std::numeric_limits<std::int64_t>::min()));
  CHECK(equal(parse_expr("-infinity"), -infinity()));
}

TEST_CASE("arguments left out take the defaults of the C++ functions") {
  CHECK(equal(parse_expr("t5_relative_position()"), t5_relative_position()));
  CHECK(equal(parse_expr("t5_relative_position(64, 256)"), t5_relative_position(64, 256)));
  CHECK(equal(parse_expr("squared_distance(3)"), squared_distance(3)));
  CHECK(equal(parse_expr("low_rank(4, like_q)"), low_rank(4)));
  CHECK(equal(parse_expr("pair_input(p, like_q)"), pair_input("p")));
  CHECK(equal(parse_expr("key_input(x, 1, f32)"), key_input("x")));
}

TEST_CASE("a mistake is pointed at") {
  CHECK(parse_error("abs(kv_index(") ==
        "column 14: expected ')', not the end; the form is kv_index()\n"
        "  abs(kv_index(\n"
        "               ^");
  CHECK(parse_error("1 +\n  kv_indx()") ==
        "line 2, column 3: unknown function 'kv_indx'; did you mean 'kv_index'?\n"
        "    kv_indx()\n"
        "    ^");
  CHECK(says(parse_error(""), "column 1: expected an expression, not the end"));
  CHECK(says(parse_error("1 + "), "column 5: expected an expression"));
  CHECK(says(parse_error("1 2"), "column 3: expected an operator or the end, not '2'"));
  CHECK(says(parse_error("(1"), "expected an operator or ')', not the end"));
  CHECK(says(parse_error("1 @ 2"), "column 3: unexpected character '@'"));
  CHECK(says(parse_error("1 = 2"), "unexpected character '='"));
  CHECK(says(parse_error("nothing_like_it()"), "unknown function 'nothing_like_it'\n"));
  CHECK(says(parse_error("head + 1"), "'head' is a function; write head()"));
  CHECK(says(parse_error("infinty"), "unknown name 'infinty'; did you mean 'infinity'?"));
  CHECK(says(parse_error("99999999999999999999"), "does not fit 64 bits"));
  CHECK(says(parse_error("1e999"), "'1e999' is no number that float64 can hold"));
  CHECK(says(parse_error("query_input(x, 3)[a]"), "expected the number of a component, not 'a'"));
  CHECK(says(parse_error("query_input(x, 3)[1"), "expected ']'"));
}

TEST_CASE("a call of the wrong form is told the right one") {
  CHECK(says(parse_error("min(1)"), "column 6: expected ',' and another argument, not ')'; the form is min(a, b)"));
  CHECK(says(parse_error("min(1, 2, 3)"), "column 9: expected ')', not ','; the form is min(a, b)"));
  CHECK(says(parse_error("alibi(3)"), "expected ')', not '3'; the form is alibi()"));
  CHECK(says(parse_error("low_rank(head())"), "expected an integer of 32 bits, not 'head'; the form is low_rank(rank"));
  CHECK(says(parse_error("low_rank(99999999999)"), "expected an integer of 32 bits"));
  CHECK(says(parse_error("query_input(3)"), "expected a name, not '3'"));
  CHECK(says(parse_error("dense(f64)"), "column 7: unknown dtype 'f64'; expected f16, bf16, f32, i32 or u8"));
  CHECK(says(parse_error("squared_distance(3, per_row)"),
             "column 21: expected one of none, per_head, per_query, per_key, not 'per_row'"));
  CHECK(says(parse_error("t5_relative_position(32, 128, both)"), "expected one of bidirectional, unidirectional"));
}

TEST_CASE("what the operators refuse is pointed at too") {
  const auto refusal = [](std::string_view text) {
    return message_of(ErrorCode::invalid_config, [&] { (void)parse_expr(text); });
  };
  CHECK(says(refusal("alibi() + (1 < 2)"), "column 9: cannot apply + to `alibi()` (real)"));
  CHECK(says(refusal("2 + low_rank(-1)"), "column 5: low_rank has rank -1; 1 to 128 are accepted"));
  CHECK(says(refusal("1.0 * query_input(x, 3)[7]"), "column 24: cannot apply [7]"));
  CHECK(says(refusal("query_input(x, 1000)"), "bias input 'x' has dims 1000"));
  CHECK(says(refusal("table(t, 2000000000, head())"), "column 1: table 't' has 2000000000 entries; 1 to 1048576"));
  CHECK(says(refusal("table(t, 4, 2.0)"), "table 't' is indexed by `2.0` (real); the index must be one integer"));
  CHECK(says(refusal("1 + q_index() / 0"), "column 15: cannot apply / to `q_index()` (integer): division by zero"));
  CHECK(says(refusal("alibi() / 0"), "column 9: cannot apply / to `alibi()` (real): division by zero"));
  CHECK(says(refusal("head() % 0"), "column 8: cannot apply % to `head()` (integer): division by zero"));
  CHECK(says(refusal("alibi() % 2"), "column 9: cannot apply %"));
}

TEST_CASE("text nested beyond measure is refused, not followed") {
  const std::string deep(100'000, '(');
  CHECK(says(parse_error(deep), "nested more than 512 levels"));
  CHECK(says(parse_error(std::string(100'000, '-')), "nested more than 512 levels"));
  std::string sum = "head()";
  for (int i = 0; i < 1000; ++i) sum += "+1";
  CHECK(says(message_of(ErrorCode::invalid_config, [&] { (void)parse_expr(sum); }), "levels deep; at most 256"));
}

TEST_CASE("the deepest expression prints to text that parses") {
  Expr expr = head();
  while (expr.node().depth < kMaxDepth) expr = expr.op() == Op::add ? -expr : expr + 1;
  CHECK(equal(parse_expr(to_string(expr)), expr));
}
