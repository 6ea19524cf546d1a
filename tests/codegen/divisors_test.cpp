#include <doctest/doctest.h>

#include <chrono>
#include <string>

#include "flashbias/plan.hpp"
#include "tests/errors.hpp"

using namespace flashbias;
using namespace flashbias::bias;
using testing::message_of;
using testing::says;

namespace {

AttentionConfig config_of(const Expr& bias, bool causal = false) {
  return {.head_dim = 64, .bias = bias, .causal = causal, .arch = Arch{90}};
}

std::string refusal(const Expr& bias, bool causal = false) {
  return message_of(ErrorCode::invalid_config, [&] { validate(config_of(bias, causal)); });
}

void check_accepted(const Expr& bias, bool causal = false) {
  CAPTURE(to_string(bias));
  CHECK_NOTHROW((void)plan(config_of(bias, causal)));
}

void check_refused(const Expr& bias, bool causal = false) {
  CAPTURE(to_string(bias));
  const std::string message = refusal(bias, causal);
  CHECK(
      (message.find("which may be 0") != std::string::npos || message.find("which is always 0") != std::string::npos));
}

const Expr kA = head_scalar("a");
const Expr kX = query_input("x");
const Expr kY = key_input("y");
const Expr kDistance = q_index() - kv_index();
const Expr kVector = query_input("p", 3) - key_input("r", 3);

}  // namespace

TEST_CASE("a division by what is always 0 is refused") {
  CHECK(refusal(q_index() / (kv_index() * 0)) ==
        "bias, column 13: `q_index() / (kv_index() * 0)` divides by `kv_index() * 0`, which is always 0\n"
        "  q_index() / (kv_index() * 0)\n"
        "              ^");
  CHECK(says(refusal(q_index() % (Expr(3) - 3)), "divides by `3 - 3`, which is always 0"));
  CHECK(says(refusal(alibi() / (Expr(3) - 3)), "divides by `3 - 3`, which is always 0"));
  CHECK(says(refusal(kX / (kY * 0.0)), "divides by `key_input(y) * 0.0`, which is always 0"));
}

TEST_CASE("a division by what may be 0 is refused with its place, its values and what helps") {
  CHECK(refusal(exp(kY) + kA / (kX - kY)) ==
        "bias, column 38: `head_scalar(a) / (query_input(x) - key_input(y))` divides by `query_input(x) - "
        "key_input(y)`, which may be 0: it lies between -infinity and infinity. Declare a range for x, y that keeps it "
        "from 0, as in .range(0.5, 2), or write `max(query_input(x) - key_input(y), 1e-6)`, if it is meant to be "
        "positive, or `select(query_input(x) - key_input(y) == 0, 0, head_scalar(a) / (query_input(x) - "
        "key_input(y)))`\n"
        "  exp(key_input(y)) + head_scalar(a) / (query_input(x) - key_input(y))\n"
        "                                       ^");
  CHECK(refusal(kA / kDistance) ==
        "bias, column 18: `head_scalar(a) / (q_index() - kv_index())` divides by `q_index() - kv_index()`, which may "
        "be 0: it lies between -16777215 and 16777215. Write `max(q_index() - kv_index(), 1)`, if it is meant to be "
        "positive, or `select(q_index() - kv_index() == 0, 0, head_scalar(a) / (q_index() - kv_index()))`\n"
        "  head_scalar(a) / (q_index() - kv_index())\n"
        "                   ^");
  CHECK(says(refusal(1.0 / kY.range(0, 4)),
             "it lies between 0 and 4. Write `key_input(y).range(0, 4) + 1e-6`, `max(key_input(y).range(0, 4), 1e-6)` "
             "or `select("));
  CHECK(says(refusal(kv_index() % q_index()), "Write `q_index() + 1`, `max(q_index(), 1)` or"));
}

TEST_CASE("what is named or long stays short in the refusal") {
  CHECK(
      refusal(-alibi() * (1 / alibi())) ==
      "bias, column 19: `1.0 / alibi()` divides by `alibi()`, which may be 0: it lies between -infinity and infinity. "
      "Declare a range for slopes that keeps it from 0, as in .range(0.5, 2), or write `max(alibi(), 1e-6)`, if it "
      "is meant to be positive, or `select(alibi() == 0, 0, 1.0 / alibi())`\n"
      "  -alibi() * (1.0 / alibi())\n"
      "                    ^");
  Expr sum = kX;
  for (int i = 0; i < 200; ++i) sum = sum - kY;
  const std::string message = refusal(kA + 1.0 / sum);
  CHECK(message.size() < 1200);
  CHECK(says(message, "`max(divisor, 1e-6)`, if it is meant to be positive, or `select(divisor == 0, 0, ...)`"));
}

TEST_CASE("of one division in two places, that is refused which no condition guards") {
  const Expr quotient = kA / kX;
  CHECK(says(refusal(select(kX == 0.0, 0.0, quotient) + quotient), "bias, column 88: `head_scalar(a) / query_input"));
}

TEST_CASE("text that divides by what may be 0 is refused at the same place") {
  const AttentionConfig config = parse_config("bias=\"1.0 / head_scalar(a)\" arch=sm_90a");
  const std::string message = message_of(ErrorCode::invalid_config, [&] { validate(config); });
  CHECK(says(message, "\n  1.0 / head_scalar(a)\n        ^"));
}

TEST_CASE("divisors that functions keep from 0 are accepted") {
  for (const Expr& bias :
       {kX / (1 + exp(-kY)), kX / exp(kY), 1 / (1 + dot(kVector, kVector)), 1 / (1 + abs(kDistance)),
        1.0 / (1 + kDistance * kDistance), kA / (1 + kX * kY * kX * kY), kA / (kX * kX + exp(kY)), kA / max(kY, 1e-6),
        kA / (sqrt(kY * kY) + 1e-6), kA / -max(abs(kX), 0.5), kA / (2 + sin(kX * kY)), kA / (4 + atan2(kX, kY)),
        kA / min(exp(kX), 3.0), kA / (1 / (1 + exp(-kX))), kA / select(kX < 0.0, -2.0, exp(kY)),
        kA / (1 + key_input("m", 1, DType::u8)), kA / (1 + real(kX < kY)),
        kv_index() % (1 + head()) + kv_index() / (q_index() % 5 + 1),
        squared_distance(3) / (1 + low_rank(8) * low_rank(8))})
    check_accepted(bias);
}

TEST_CASE("divisors that functions do not keep from 0 are refused") {
  for (const Expr& bias :
       {kA / sqrt(kX), kA / abs(kX), kA / (kX * kX), kA / dot(kVector, kVector), kA / log(kX), kA / cos(kX),
        kA / (kX + exp(kY)), kA / max(kX, kY), kA / (1 + kX * kY), kA / atan2(kX, kY),
        kA / key_input("m", 1, DType::u8), kA / (1.0 / infinity()), kA / exp(select(kX < kY, 0.0, -infinity())),
        kA / real(kX < kY), 1 / head(), kv_index() / (q_index() % 5), kA / (q_index() / 3)})
    check_refused(bias);
}

TEST_CASE("divisors that declared ranges keep from 0 are accepted, wherever these are declared") {
  const Expr near = kA.range(0.1, 2);
  check_accepted(1 / near);
  check_accepted(1.0 / kA + near);
  check_accepted(1 / (1 + alibi().range("slopes", -2, -1)));
  check_accepted(kX / (kY.range(1, 2) - kX.range(3, 4)));
  check_accepted(kX / (kY.range(-2, -1) * kX.range(3, 4)));
  check_refused(1.0 / (kv_index().range(0, 100) * kv_index()));
  check_refused(1 / kA.range(0, 2));
  check_refused(1 / (kA.range(0.1, 2) - 1));
  check_refused(kX / (kY.range(1, 2) - kX.range(2, 4)));
}

TEST_CASE("lengths are at least 1 and beyond each index") {
  check_accepted(real(q_index()) / q_length() - kv_index() / (kv_length() + 1));
  check_accepted(kA / (kv_length() - kv_index()) + kA / (q_index() - q_length()));
  check_accepted(kA / (kv_length() + q_length() - kv_index() - q_index() + head() - 1));
  check_refused(kA / (kv_length() - kv_index() - 1));
  check_refused(kA / (kv_length() - q_index()));
  check_refused(kA / (kv_length() - kv_index() - head()));
}

TEST_CASE("a causal mask keeps keys at the query's position or before") {
  check_accepted(kA / (1 + q_position() - kv_index()), /*causal=*/true);
  check_accepted(kA / (kv_index() * 2 - 2 * q_position() - 1), /*causal=*/true);
  check_refused(kA / (1 + q_position() - kv_index()));
  check_refused(kA / (q_position() - kv_index()), /*causal=*/true);
  check_refused(kA / (1 + q_index() - kv_index()), /*causal=*/true);
}

TEST_CASE("a condition guards what it chooses") {
  for (const Expr& bias : {select(kX == 0.0, 0.0, kA / kX),
                           select(0 == kX, 0.0, kA / -kX),
                           select(kX != 0.0, kA / kX, 0.0),
                           select(kX > 0.0, kA / kX, 0.0),
                           select(kX >= 0.5, kA / kX, 0.0),
                           select(kX <= 0.0, 0.0, kA / kX),
                           select(kX < kY, kA / (kY - kX) + kA / (kX - kY), 0.0),
                           select(kX - kY == 0.0, 0.0, kA / (kY - kX)),
                           select(abs(kX) > 1e-3, kA / kX, 0.0),
                           select(kX * kY != 0.0, kA / kX + kA / kY, 0.0),
                           select(sqrt(kX) > 0.0, kA / kX + kA / (kX + 1), 0.0),
                           select(sqrt(kX) == 0.0, 0.0, kA / kX),
                           select(min(kX, kY) > 0.0, kA / (kX + kY), 0.0),
                           select(max(kX, kY) < 0.0, kA / (kX + kY), 0.0),
                           select(kX > 0.0 && kY > 0.0, kA / (kX + kY), 0.0),
                           select(kX <= 0.0 || kY <= 0.0, 0.0, kA / (kX + kY)),
                           select(!(kX == 0.0) && kA / kX < 1.0, 1.0, 2.0),
                           select(kX == 0.0 || kA / kX < 1.0, 1.0, 2.0),
                           kA / select(kX == 0.0, 1.0, kX),
                           select(q_index() == kv_index(), 0.0, kA / kDistance + kA / abs(kDistance)),
                           select(kv_index() <= q_index(), kA / (1 + kDistance), -infinity()),
                           select(kv_index() < q_index() - 2, kA / (kv_index() - q_index() + 2), 0.0),
                           select(kDistance > 0, kA / real(kDistance), 0.0),
                           select(head() > 0, kA / head(), 0.0)})
    check_accepted(bias);
}

TEST_CASE("a condition guards nothing else") {
  for (const Expr& bias :
       {select(kX == 0.0, kA / kX, 0.0), select(kX >= 0.0, kA / kX, 0.0), select(kX != 0.0, 0.0, kA / kX),
        select(kX == 0.0, 0.0, kA / kY), select(kX > 0.0 || kY > 0.0, kA / (abs(kX) + abs(kY)), 0.0) + kA / kX,
        select(kX > 0.0 || kY > 0.0, kA / kX, 0.0), select(kX > -1.0, kA / kX, 0.0),
        select(min(kX, kY) != 0.0, kA / kX, 0.0), select(kX != 0.0, 1.0, 2.0) / kX,
        select(kA / kX < 1.0 && kX != 0.0, 1.0, 2.0), select(kX + kY > 0.0, kA / kX, 0.0),
        select(kv_index() <= q_index(), kA / kDistance, -infinity()),
        select(kv_index() < q_index(), kA / (1 - kDistance), 0.0),
        // sqrt of less than 0 is NaN, of which each comparison is false.
        select(sqrt(kX) < 5.0, 0.0, 1.0 / (kX + 1.0)) * kY, select(sqrt(kX) == 2.0, 0.0, 1.0 / (kX + 1.0)),
        select(sqrt(kX) * kY == 0.0, 0.0, 1.0 / kY), select(min(sqrt(kX), kY) > 0.0, 1.0 / (kX + 1.0), 0.0)})
    check_refused(bias);
}

TEST_CASE("divisions that only derivatives make are not refused") {
  for (const Expr& bias : {sqrt(kX * kX) * kA, log(kX) + kY, atan2(kX, kY)}) {
    AttentionConfig backward = config_of(bias);
    backward.direction = Direction::backward;
    CHECK_NOTHROW((void)plan(backward));
  }
}

TEST_CASE("what an approximation stands in for divides nothing") { check_accepted(approximate(1 / kA, 4)); }

// Time that grows faster than the bias outlasts the time that a test may take.
TEST_CASE("conditions within conditions, sums of sums and long products are judged at once") {
  Expr nested = kX;
  Expr inside = kX;
  Expr product = kX;
  Expr indices = q_index();
  for (int i = 0; i < 120; ++i) {
    nested = select(kX < nested, 1.0 / (1.0 + abs(kY)), 0.5 * i);
    inside = select(kX < 0.5 * i && kY < kX, inside, 1.0 / (2.0 + i - sin(kY)));
    product = product * (1.0 + i + kX);
    indices = (indices - kv_index()) % (1 + abs(indices % (i + 1)));
    if (indices.node().nodes > kMaxNodes / 8) indices = q_index();
  }
  for (const Expr& value : {nested, inside, product, real(indices)}) {
    const auto start = std::chrono::steady_clock::now();
    validate(config_of(value / (1 + exp(value))));
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(2));
  }
}
