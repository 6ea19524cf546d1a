#include "codegen/derivative.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "codegen/tidy_arithmetic.hpp"
#include "tests/errors.hpp"

namespace flashbias::codegen {
namespace {

using namespace bias;
using testing::message_of;
using testing::says;

const Expr kX = query_input("x");
const Expr kY = key_input("y");
const Expr kA = head_scalar("a");
const Expr kU = query_input("u", 3);
const Expr kV = key_input("v", 3);

/// As text, with the leaves above by their names.
std::string text(const Expr& expr) {
  std::string result = to_string(expr);
  for (const auto& [leaf, name] : {std::pair(kX, "x"), {kY, "y"}, {kA, "a"}, {kU, "u"}, {kV, "v"}}) {
    const std::string written = to_string(leaf);
    for (std::size_t at = result.find(written); at != std::string::npos; at = result.find(written))
      result.replace(at, written.size(), name);
  }
  return result;
}

std::string d(const Expr& value, const std::string& name, int component = 0) {
  return text(derivative(value, {.name = name, .component = component}));
}

std::string rejection(const Expr& value, const std::string& name, int component = 0) {
  return message_of(ErrorCode::invalid_config, [&] { (void)derivative(value, {name, component}); });
}

}  // namespace

TEST_CASE("derivatives of each operator") {
  CHECK(d(kX, "x") == "1.0");
  CHECK(d(-kX, "x") == "-1.0");
  CHECK(d(kX + kY, "y") == "1.0");
  CHECK(d(kX - kY, "y") == "-1.0");
  CHECK(d(kX * kY, "x") == "y");
  CHECK(d(kX * kX, "x") == "2.0 * x");
  CHECK(d(kX * kX * kX, "x") == "3.0 * x * x");
  CHECK(d(kX / kY, "x") == "1.0 / y");
  CHECK(d(kX / kY, "y") == "-x / y / y");
  CHECK(d(kX / 4.0, "x") == "1.0 / 4.0");
  CHECK(d(sqrt(kX), "x") == "0.5 / sqrt(x)");
  CHECK(d(sqrt(kX * kY), "x") == "0.5 * y / sqrt(x * y)");
  CHECK(d(exp(kA * kX), "x") == "a * exp(a * x)");
  CHECK(d(log(kX), "x") == "1.0 / x");
  CHECK(d(sin(kX), "x") == "cos(x)");
  CHECK(d(cos(2.0 * kX), "x") == "-2.0 * sin(2.0 * x)");
  CHECK(d(atan2(kX, kY), "x") == "y / (x * x + y * y)");
  CHECK(d(atan2(kX, kY), "y") == "-x / (x * x + y * y)");
  CHECK(d(kX + kX, "x") == "2.0");
  CHECK(d(kX - kX + kY, "x") == "none()");
}

TEST_CASE("derivatives of piecewise functions are PyTorch's") {
  CHECK(d(abs(kX), "x") == "select(x == 0.0, 0.0, select(x < 0.0, -1.0, 1.0))");
  CHECK(d(max(kX, 0.0), "x") == "select(x < 0.0, 0.0, select(x == 0.0, 0.5, 1.0))");
  CHECK(d(min(kY, kX), "x") == "select(y < x, 0.0, select(y == x, 0.5, 1.0))");
  CHECK(d(max(kX, kX), "x") == "1.0");
  CHECK(d(max(kX + kY, kX - kY), "x") == "1.0");
  CHECK(d(select(kX < kY, kX * kA, kX), "x") == "select(x < y, a, 1.0)");
  CHECK(d(select(kX < kY, kX, kX + 1), "x") == "1.0");
}

TEST_CASE("a mask has no derivative, nor what is beside it") {
  CHECK(d(select(kv_index() < 4, kA * kX, -infinity()), "a") == "select(kv_index() < 4, x, 0.0)");
  CHECK(d(kA * kX + select(kX < kY, 0.0, -infinity()), "a") == "x");
  CHECK(d(select(kX < kY, 0.0, -infinity()), "x") == "none()");
  CHECK(d(kX + table("t", 3, select(kX < 0.0, 1, 0)), "x") == "1.0");
}

TEST_CASE("vectors are differentiated by component") {
  CHECK(d(kU[1], "u", 1) == "1.0");
  CHECK(d(kU[1], "u", 0) == "none()");
  CHECK(d(dot(kU, kV), "u", 2) == "v[2]");
  CHECK(d(dot(kU, kU), "u", 1) == "2.0 * u[1]");
  CHECK(d(dot(kU - kV, kU - kV), "v", 1) == "-2.0 * (u[1] - v[1])");
  CHECK(d((kA * kU)[2], "a") == "u[2]");
  CHECK(d((kA * kU)[2], "u", 2) == "a");
  CHECK(d(dot(kA * kU, kV), "a") == "u[0] * v[0] + u[1] * v[1] + u[2] * v[2]");
  CHECK(d(exp(-kU)[0], "u", 0) == "-exp(-u[0])");
}

TEST_CASE("named biases have the derivatives that one would write") {
  CHECK(d(alibi(), "slopes") == "-real(abs(q_position() - kv_index()))");
  const Expr distance = squared_distance(2, DistanceWeight::per_query);
  CHECK(d(distance, "distance_weight") ==
        "-dot(query_input(q_positions, 2) - key_input(k_positions, 2), "
        "query_input(q_positions, 2) - key_input(k_positions, 2))");
  CHECK(d(distance, "q_positions", 1) ==
        "-2.0 * query_input(distance_weight) * (query_input(q_positions, 2)[1] - key_input(k_positions, 2)[1])");
  CHECK(d(distance, "k_positions", 0) ==
        "2.0 * query_input(distance_weight) * (query_input(q_positions, 2)[0] - key_input(k_positions, 2)[0])");
  CHECK(d(low_rank(4), "q_factors", 3) == "key_input(k_factors, 4, like_q)[3]");
  CHECK(d(low_rank(4), "k_factors", 0) == "query_input(q_factors, 4, like_q)[0]");
  CHECK(d(dense(), "bias") == "1.0");
  CHECK(d(2.0 * alibi() + dense(), "slopes") == "-2.0 * abs(q_position() - kv_index())");
  const Expr standing_in = approximate(window_relative_position(4, 4), 8);
  CHECK(d(standing_in, "q_factors_window_relative_position_4_4", 7) ==
        "key_input(k_factors_window_relative_position_4_4, 8, like_q)[7]");
}

TEST_CASE("uses with and without a declared range are one input") {
  CHECK(d(kX.range(-1, 1) * kY + kX, "x") == "y + 1.0");
}

TEST_CASE("each read of a table has its coefficient") {
  const auto reads = [](const Expr& value) {
    std::vector<std::string> result;
    for (const auto& [coefficient, index] : table_reads(value, "t"))
      result.push_back(text(coefficient) + " at " + text(index));
    return result;
  };
  const auto t = [](const Expr& index) { return table("t", 5, index); };
  using Texts = std::vector<std::string>;
  CHECK(reads(t(kv_index())) == Texts{"1.0 at kv_index()"});
  CHECK(reads(t(kv_index()) * t(kv_index())) == Texts{"2.0 * table(t, 5, kv_index()) at kv_index()"});
  CHECK(reads(kA * t(q_index()) - exp(t(kv_index()))) ==
        Texts{"a at q_index()", "-exp(table(t, 5, kv_index())) at kv_index()"});
  CHECK(reads(select(t(q_index()) < 0.0, kX, kA)).empty());
  CHECK(reads(t(kv_index()).range(-1, 1) + t(kv_index())) == Texts{"2.0 at kv_index()"});
  const std::vector<TableRead> clipped = table_reads(relative_position(8), "relative_bias");
  REQUIRE(clipped.size() == 1);
  CHECK(equal(clipped[0].index, relative_position(8).arg(0).arg(0)));
}

TEST_CASE("gradients exist for real inputs that the bias reads") {
  const Expr documents =
      select(query_input("document", 1, DType::i32) == key_input("kind", 1, DType::u8), kA * kX, -infinity());
  CHECK(differentiable_inputs(documents) == std::vector<std::string>{"a", "x"});
  CHECK(differentiable_inputs(low_rank(4) + t5_relative_position()) ==
        std::vector<std::string>{"q_factors", "k_factors", "relative_bias"});
  CHECK(differentiable_inputs(none()).empty());

  CHECK(says(rejection(documents, "document"),
             "a gradient is asked of 'document', a query input of dtype i32; gradients exist for real inputs only: "
             "'a', 'x'. Ask for those, or give 'document' a real dtype"));
  CHECK(says(rejection(table("t", 9, head_scalar("offset", DType::i32)), "offset"),
             "a head scalar of dtype i32 in the index of table 't'; gradients exist for real inputs only: 't'"));
  CHECK(says(rejection(kX + kA, "z"),
             "'z', which the bias `query_input(x) + head_scalar(a)` does not read; its inputs: 'x', 'a'"));
  CHECK(says(rejection(none(), "z"), "its inputs: none"));
  CHECK(says(rejection(kU[0], "u", 3),
             "component 3 of the query input 'u' is asked for; its components are numbered "
             "0 to 2"));
  CHECK(says(rejection(kA, "a", -1), "component -1 of the head scalar 'a'"));
  CHECK(says(rejection(kU, "u"), "(real[3]) is asked for; it is taken of one number a score"));
  CHECK(says(rejection(kX < kA, "x"), "(boolean) is asked for"));
  CHECK(says(rejection(relative_position(4), "relative_bias"), "ask table_reads"));
  CHECK(says(message_of(ErrorCode::invalid_config, [] { (void)table_reads(kA, "a"); }),
             "'a' is a head scalar, not a table"));
  CHECK(says(rejection(query_input("x") + key_input("x"), "x"), "is used both as"));
}

TEST_CASE("a derivative that is too long says so") {
  Expr power = kX;
  for (int i = 0; i < 200; ++i) power = power * sin(kX);
  CHECK(says(rejection(power, "x"), "the derivative of the bias with respect to 'x' is too long: "));
}

TEST_CASE("tidy arithmetic keeps extreme literals and the order of factors") {
  CHECK(text(tidy_product(1e300, tidy_product(1e300, kX))) == "1e+300 * (1e+300 * x)");
  CHECK(text(tidy_product(infinity(), kX)) == "infinity * x");
  CHECK(text(tidy_product(0.0, infinity())) == "none()");
  CHECK(text(tidy_product(-kX, tidy_product(2.0, kY))) == "-2.0 * x * y");
  CHECK(text(tidy_product(kX, kY * kA)) == "x * (y * a)");
  CHECK(text(tidy_product(tidy_quotient(1.0, kX), kY)) == "y / x");
  CHECK(text(tidy_product(3.0, tidy_quotient(0.5, kX))) == "1.5 / x");
  CHECK(text(tidy_quotient(kX, -kY)) == "-x / y");
  CHECK(text(tidy_sum(-kX, kY)) == "y - x");
  CHECK(text(tidy_sum(kX, -2.0 * kX)) == "-x");
  CHECK(text(tidy_sum(2.0, tidy_product(-3.0, 1.0))) == "-1.0");
}

}  // namespace flashbias::codegen
