#include <doctest/doctest.h>

#include <limits>

#include "flashbias/bias.hpp"
#include "tests/errors.hpp"

using namespace flashbias;
using namespace flashbias::bias;
using testing::config_rejection;
using testing::says;

namespace {}  // namespace

TEST_CASE("leaves have their types") {
  CHECK(to_string(q_index().type()) == "integer");
  CHECK(to_string(q_position().type()) == "integer");
  CHECK(to_string(head_scalar("slopes").type()) == "real");
  CHECK(to_string(query_input("x", 3).type()) == "real[3]");
  CHECK(to_string(key_input("document", 1, DType::i32).type()) == "integer");
  CHECK(to_string(key_input("mask", 1, DType::u8).type()) == "integer");
  CHECK(to_string(pair_input("bias").type()) == "real");
  CHECK(to_string(table("t", 4, head()).type()) == "real");
  CHECK(to_string(Expr(true).type()) == "boolean");
  CHECK(to_string((q_index() < kv_index()).type()) == "boolean");
}

TEST_CASE("an integer that meets a real becomes one") {
  const Expr product = q_index() * head_scalar("slopes");
  CHECK(product.arg(0).op() == Op::to_real);
  CHECK(equal(product.arg(0).arg(0), q_index()));
  CHECK(to_string(product.type()) == "real");

  CHECK((2 * head_scalar("slopes")).arg(0).op() == Op::real_literal);
  CHECK(sqrt(q_index()).arg(0).op() == Op::to_real);
  CHECK(select(q_index() < 3, 0, -infinity()).arg(1).op() == Op::real_literal);
  CHECK((q_index() + 1).arg(1).op() == Op::integer_literal);
  CHECK(equal(real(3), 3.0));
  CHECK(equal(real(true), 1.0));
  CHECK(equal(real(head_scalar("slopes")), head_scalar("slopes")));
}

TEST_CASE("a negated literal is a negative literal") {
  CHECK(equal(-Expr(3), -3));
  CHECK(equal(-Expr(0.5), -0.5));
  CHECK_FALSE(equal(-Expr(0.0), 0.0));
  const Expr least = std::numeric_limits<std::int64_t>::min();
  CHECK((-least).op() == Op::negate);
}

TEST_CASE("a scalar applies to each component of a vector") {
  CHECK(to_string((2 * query_input("x", 3)).type()) == "real[3]");
  CHECK(to_string(dot(query_input("x", 3), key_input("y", 3)).type()) == "real");
  CHECK(to_string(query_input("x", 3)[2].type()) == "real");
  CHECK(equal(query_input("x")[0], query_input("x")));
}

TEST_CASE("operands that do not fit are printed with their types") {
  const Expr x = query_input("x", 3);
  const Expr y = key_input("y", 2);
  CHECK(config_rejection([&] { (void)(x + y); }) ==
        "cannot apply + to `query_input(x, 3)` (real[3]) and `key_input(y, 2)` (real[2]): vectors must have the same "
        "number of components");
  CHECK(says(config_rejection([&] { (void)dot(x, y); }), "cannot apply dot to `query_input(x, 3)` (real[3])"));
  CHECK(says(config_rejection([&] { (void)dot(x, 1.0); }), "same number of components"));
  CHECK(says(config_rejection([&] { (void)(x < 1.0); }), "compare components, as in x[0]"));
  CHECK(says(config_rejection([&] { (void)x[3]; }), "components are numbered 0 to 2"));
  CHECK(says(config_rejection([&] { (void)x[-1]; }), "cannot apply [-1] to `query_input(x, 3)`"));
  CHECK(says(config_rejection([&] { (void)(alibi() % 2); }),
             "`alibi()` (real) and `2` (integer): the remainder is that of"));
}

TEST_CASE("a boolean is no number, and a number no condition") {
  const Expr later = q_index() < kv_index();
  CHECK(config_rejection([&] { (void)(alibi() + later); }) ==
        "cannot apply + to `alibi()` (real) and `q_index() < kv_index()` (boolean): a boolean is no number; choose "
        "numbers with select(condition, a, b), or convert with real(condition)");
  CHECK(says(config_rejection([&] { (void)-later; }), "unary -"));
  CHECK(says(config_rejection([&] { (void)abs(later); }), "no number"));
  CHECK(says(config_rejection([&] { (void)exp(later); }), "no number"));
  CHECK(says(config_rejection([&] { (void)(later == later); }), "no number"));
  CHECK(says(config_rejection([&] { (void)(q_index() && later); }), "both sides must be conditions"));
  CHECK(says(config_rejection([&] { (void)!q_index(); }), "must be a condition"));
  CHECK(says(config_rejection([&] { (void)select(q_index(), 1, 2); }), "first argument must be a condition"));
  CHECK(real(later).op() == Op::to_real);
}

TEST_CASE("what no kernel could compute is refused") {
  CHECK(says(config_rejection([] { (void)(q_index() / 0); }), "division by zero"));
  CHECK(says(config_rejection([] { (void)(q_index() % 0); }), "division by zero"));
  CHECK(says(config_rejection([] { (void)Expr(std::numeric_limits<double>::quiet_NaN()); }), "NaN"));
  CHECK(says(config_rejection([] { (void)(alibi() / 0); }), "division by zero"));
  CHECK(config_rejection([] { (void)(head_scalar("s") / -0.0); }) ==
        "cannot apply / to `head_scalar(s)` (real): division by zero; to hide a score, add -infinity");
}

TEST_CASE("inputs are checked") {
  CHECK(says(config_rejection([] { (void)query_input("3x"); }), "'3x' cannot name a bias input"));
  CHECK(says(config_rejection([] { (void)head_scalar(""); }), "'' cannot name"));
  CHECK(says(config_rejection([] { (void)key_input("a b"); }), "'a b' cannot name"));
  CHECK(says(config_rejection([] { (void)pair_input(std::string(65, 'x')); }), "at most 64"));
  CHECK(config_rejection([] { (void)query_input("x", 0); }) == "bias input 'x' has dims 0; 1 to 128 are accepted");
  CHECK(config_rejection([] { (void)key_input("x", 129); }) == "bias input 'x' has dims 129; 1 to 128 are accepted");
  CHECK(config_rejection([] { (void)table("t", 0, head()); }) == "table 't' has 0 entries; 1 to 1048576 are accepted");
  CHECK(says(config_rejection([] { (void)table("t", (1 << 20) + 1, head()); }), "1048577 entries"));
  CHECK(config_rejection([] { (void)table("t", 4, alibi()); }) ==
        "table 't' is indexed by `alibi()` (real); the index must be one integer");
}

TEST_CASE("equal expressions have equal hashes, different ones differ") {
  const auto build = [] { return -head_scalar("slopes") * abs(q_position() - kv_index()); };
  CHECK(equal(build(), build()));
  CHECK(build().node().hash == build().node().hash);

  const std::vector<Expr> different{
      0,
      0.0,
      -0.0,
      false,
      q_index(),
      kv_index(),
      q_index() - kv_index(),
      kv_index() - q_index(),
      query_input("x"),
      query_input("y"),
      key_input("x"),
      query_input("x", 2),
      query_input("x", 1, DType::f16),
      query_input("x", 1, std::nullopt),
      query_input("x", 3)[0],
      query_input("x", 3)[1],
      table("t", 4, q_index()),
      table("t", 5, q_index()),
      table("t", 4, kv_index()),
      alibi(),
      build(),
  };
  for (std::size_t i = 0; i < different.size(); ++i) {
    for (std::size_t j = 0; j < different.size(); ++j) {
      CAPTURE(to_string(different[i]));
      CAPTURE(to_string(different[j]));
      CHECK(equal(different[i], different[j]) == (i == j));
      CHECK((different[i].node().hash == different[j].node().hash) == (i == j));
    }
  }
}

TEST_CASE("depth and size of an expression are bounded") {
  const Expr one = head_scalar("x");
  CHECK(says(config_rejection([&] {
               Expr sum = one;
               for (int i = 0; i < kMaxDepth; ++i) sum = sum + one;
             }),
             "257 levels deep; at most 256"));
  CHECK(says(config_rejection([&] {
               Expr tree = one;
               for (int i = 0; i < 20; ++i) tree = tree + tree;
             }),
             "at most 8192"));
}

TEST_CASE("an expression without value is the literal 0") {
  CHECK(equal(Expr(), 0.0));
  CHECK(equal(none(), Expr()));
}
