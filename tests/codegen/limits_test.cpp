#include "flashbias/limits.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "codegen/simplify.hpp"
#include "flashbias/source.hpp"
#include "tests/errors.hpp"

using namespace flashbias;
using namespace flashbias::bias;
using namespace std::string_view_literals;
using testing::message_of;
using testing::says;

namespace {

using Operands = std::function<Expr(int)>;
using Operator = Expr (*)(const Expr&, const Expr&);

/// A tree over `count` operands, as flat as can be.
Expr balanced(Operator join, const Operands& operand, int count, int first = 0) {
  if (count == 1) return operand(first);
  const int half = count / 2;
  return join(balanced(join, operand, half, first), balanced(join, operand, count - half, first + half));
}

/// Trees of `width` operands joined one after the other: as deep as wide expressions get.
Expr deep_and_wide(Operator join, const Operands& operand, int width, int count) {
  Expr expr = operand(0);
  for (int i = 1; i < count; ++i) expr = join(expr, balanced(join, operand, width, i * width));
  return expr;
}

Expr sum(const Expr& a, const Expr& b) { return a + b; }
Expr product(const Expr& a, const Expr& b) { return a * b; }
Expr least(const Expr& a, const Expr& b) { return min(a, b); }

std::string sum_text(int operands) {
  if (operands == 1) return "1";
  return "(" + sum_text(operands / 2) + "+" + sum_text(operands - operands / 2) + ")";
}

std::string repeated(std::string_view text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += text;
  return result;
}

std::string refusal(ErrorCode code, std::string_view text) {
  std::string message = message_of(code, [&] { (void)parse_expr(text); });
  CHECK(message.size() < 600);  // whatever the text
  CHECK(message.find('\0') == std::string::npos);
  return message;
}

/// A bias is printed, parsed, planned, explained and emitted, or refused.
void serve(const Expr& bias) {
  const Expr parsed = parse_expr(to_string(bias));
  CHECK(equal(parsed, bias));
  try {
    const KernelPlan made = plan({.head_dim = 16, .bias = parsed, .log_sum_exp = true, .arch = Arch{90}});
    (void)explain(made);
    (void)emit(made);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::invalid_config);
  }
}

}  // namespace

TEST_CASE("text of any depth is refused with the place") {
  constexpr int kTimes = 50'000;
  for (const std::string_view opening : {"(", "-", "!", "abs(", "min(1, ", "select(true, 1, ", "table(t, 4, ", "- - ("})
    CHECK(says(refusal(ErrorCode::parse, repeated(opening, kTimes)), "nested more than 512 levels deep; move"));
  CHECK(says(refusal(ErrorCode::parse, "1 +\n" + repeated("(", 513)), "line 2, column 513: nested more than 512"));
  CHECK(equal(parse_expr(repeated("(", 511) + "1" + repeated(")", 511)), 1));
  CHECK(equal(parse_expr("query_input(x)" + repeated("[0]", kTimes)), query_input("x")));
}

TEST_CASE("text of too many operands is refused before they are joined") {
  const std::string thousand = sum_text(1000);
  std::string text = thousand;
  for (int i = 1; i < 100; ++i) text += "+(" + thousand;
  CHECK(says(refusal(ErrorCode::invalid_config, text), "more than 8192 operands; move what they compute"));
  const std::string joined = refusal(ErrorCode::invalid_config, sum_text(5000));
  CHECK(says(joined, "operations when written out; at most 8192"));
  CHECK(says(joined, "column "));
}

TEST_CASE("text of too many bytes is refused") {
  CHECK(parse_expr("1" + std::string(kMaxTextBytes - 1, ' ')).op() == Op::integer_literal);
  CHECK(says(refusal(ErrorCode::parse, "1" + std::string(kMaxTextBytes, ' ')),
             "column 1048577: the text of a bias has 1048577 bytes; at most 1048576 are accepted"));
}

TEST_CASE("messages about hostile text are short and printable") {
  CHECK(says(refusal(ErrorCode::parse, "1 + \0"sv), "column 5: unexpected character '\\x00'\n  1 + \\x00\n      ^"));
  CHECK(says(refusal(ErrorCode::parse, "\xff(1)"), "column 1: unexpected character '\\xff'"));
  CHECK(says(refusal(ErrorCode::parse, "head() \u2212 1"),
             "column 8: unexpected character '\u2212'\n  head() \u2212 1\n"));
  CHECK(says(refusal(ErrorCode::parse, "\u2212"), "unexpected character '\u2212'"));
  CHECK(says(refusal(ErrorCode::parse, "1 \x1b[31m"), "'\\x1b'"));
  CHECK(says(refusal(ErrorCode::parse, "\"alibi()"), "unexpected character '\"'"));
  const std::string long_word(900'000, 'x');
  CHECK(says(refusal(ErrorCode::parse, long_word), "unknown name 'xxx"));
  CHECK(says(refusal(ErrorCode::parse, long_word + "()"), "unknown function 'xxx"));
  CHECK(says(refusal(ErrorCode::parse, "dense(" + long_word + ")"), "unknown dtype 'xxx"));
  CHECK(says(refusal(ErrorCode::parse, std::string(900'000, '1')), "... does not fit 64 bits"));
  CHECK(says(refusal(ErrorCode::parse, "1e" + std::string(900'000, '9')), "is no number that float64 can hold"));
  CHECK(says(refusal(ErrorCode::parse, "low_rank(" + std::string(900'000, '1')), "expected an integer of 32 bits"));
  CHECK(says(refusal(ErrorCode::parse, "query_input(x, 3)[99999999999]"), "expected the number of a component"));
  CHECK(says(refusal(ErrorCode::invalid_config, "pair_input(" + long_word + ")"), "at most 64 in all"));
  CHECK(says(refusal(ErrorCode::parse, "-99999999999999999999"), "column 2: -99999999999999999999 does not fit 64"));
}

TEST_CASE("a place far along a line is shown with what is near it") {
  const std::string text = std::string(200, ' ') + "head( " + std::string(200, ' ');
  CHECK(refusal(ErrorCode::parse, text) == "column 407: expected ')', not the end; the form is head()\n  ..." +
                                               std::string(80, ' ') + "\n  " + std::string(83, ' ') + "^");
  CHECK(says(refusal(ErrorCode::parse, repeated("1+", 20) + "@" + std::string(200, ' ')),
             "1+@" + std::string(79, ' ') + "...\n"));
}

TEST_CASE("an expression is counted as written out, however much of it is shared") {
  Expr doubled = head_scalar("x");
  const std::string message = message_of(ErrorCode::invalid_config, [&] {
    for (int i = 0; i < 100; ++i) doubled = doubled + doubled;
  });
  CHECK(says(message, "has 16383 operations when written out; at most 8192"));
  CHECK(doubled.node().nodes == 8191);
  // More than an int counts.
  const std::vector<Expr> many(300'000, doubled);
  CHECK(says(message_of(ErrorCode::invalid_config,
                        [&] { (void)make_expr({.op = Op::minimum, .type = doubled.type(), .args = many}); }),
             "has 2457300001 operations"));
}

TEST_CASE("ranges that are declared of one bias are counted, since each copies it") {
  std::string text = "alibi()";
  for (int i = 0; i < kMaxNodes; ++i) text += ".range(slopes, 0, 1)";
  CHECK(
      says(testing::message_of(ErrorCode::invalid_config, [&] { (void)parse_expr(text); }), "more than 8192 operands"));
}

TEST_CASE("nodes are made by make_expr alone, so that none is deeper than may be destroyed") {
  CHECK_FALSE(std::is_constructible_v<Expr, std::shared_ptr<const ExprNode>>);
}

TEST_CASE("the least integer survives its own negation") {
  const Expr least_integer = std::numeric_limits<std::int64_t>::min();
  CHECK(equal(codegen::simplify(-least_integer, false), -least_integer));
}

// Where a pass takes time that grows faster than the bias, this outlasts the time that a test may take.
TEST_CASE("a bias as large as may be is served or refused") {
  const Operands score = [](int i) { return sin(pair_input("p") * (1.0 + i)); };
  const Operands token = [](int i) { return sin((i % 2 == 0 ? query_input("x") : key_input("y")) * (1.0 + i)); };
  const Operands head_value = [](int i) { return sin(head_scalar("s") * (1.0 + i)); };
  const Operands index = [](int i) { return (q_index() - kv_index()) % (i + 7); };
  const Operands linear = [](int i) { return i % 2 == 0 ? q_index() + i : kv_index() * i; };
  const Operands literal = [](int i) { return Expr(i + 1); };
  const Expr large[] = {
      deep_and_wide(least, score, 7, 230),
      deep_and_wide(least, token, 6, 200),
      deep_and_wide(least, head_value, 7, 230) * kv_index(),
      deep_and_wide(least, index, 6, 190),
      deep_and_wide(sum, linear, 7, 220) * head_scalar("s"),
      table("t", 100, deep_and_wide(sum, linear, 5, 220)),
      balanced(product, token, 1600),
      balanced(sum, literal, 4096),
      balanced(
          sum, [](int) { return low_rank(8); }, 1000),
      balanced(
          least, [](int i) { return pair_input(std::string(60, 'a') + std::to_string(i % 60)); }, 4000),
  };
  for (const Expr& bias : large) {
    CAPTURE(to_string(bias).substr(0, 200));
    CHECK(bias.node().nodes > kMaxNodes / 2);
    serve(bias);
  }
}
