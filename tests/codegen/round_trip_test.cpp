#include <doctest/doctest.h>

#include "flashbias/bias.hpp"
#include "flashbias/config.hpp"
#include "tests/codegen/random_expr.hpp"

using namespace flashbias;
using testing::RandomExpr;

TEST_CASE("a printed expression parses back to an equal one") {
  RandomExpr random(1);
  for (int i = 0; i < 5000; ++i) {
    const Expr expr = random.number(random.below(7));
    const std::string text = to_string(expr);
    CAPTURE(text);
    const Expr parsed = parse_expr(text);
    REQUIRE(equal(parsed, expr));
    REQUIRE(parsed.node().hash == expr.node().hash);
    REQUIRE(to_string(parsed) == text);
  }
}

TEST_CASE("no pair of parentheses is printed that could be left out") {
  RandomExpr random(2);
  for (int i = 0; i < 300; ++i) {
    const Expr expr = random.number(3);
    const std::string text = to_string(expr);
    for (std::size_t open = 0; open < text.size(); ++open) {
      // Calls keep theirs, and -(-x) does so as not to read as a decrement.
      const bool groups = text[open] == '(' && (open == 0 || text.find_last_of(" (-!", open - 1) == open - 1);
      if (!groups || (open > 0 && text[open - 1] == '-' && text[open + 1] == '-')) continue;
      std::size_t close = open;
      for (int level = 0; level != 0 || close == open; ++close)
        level += text[close] == '(' ? 1 : text[close] == ')' ? -1 : 0;
      std::string without = text;
      without.erase(close - 1, 1).erase(open, 1);
      CAPTURE(text);
      CAPTURE(without);
      bool same = false;
      try {
        same = equal(parse_expr(without), expr);
      } catch (const std::exception&) {
        same = false;
      }
      CHECK_FALSE(same);
    }
  }
}

TEST_CASE("a printed config parses back to an equal one") {
  RandomExpr random(3);
  const auto coin = [&] { return random.below(2) == 0; };
  for (int i = 0; i < 1000; ++i) {
    const AttentionConfig config{
        .dtype = coin() ? DType::f16 : DType::bf16,
        .head_dim = 8 * (1 + random.below(32)),
        .head_dim_v = 8 * random.below(33),
        .bias = random.number(random.below(4)),
        .causal = coin(),
        .log_sum_exp = coin(),
        .arch = coin() ? Arch{} : supported_archs()[static_cast<std::size_t>(random.below(6))]};
    const std::string text = to_string(config);
    CAPTURE(text);
    const AttentionConfig parsed = parse_config(text);
    REQUIRE(parsed == config);
    REQUIRE(hash_value(parsed) == hash_value(config));
    REQUIRE(to_string(parsed) == text);
  }
}
