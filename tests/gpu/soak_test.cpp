#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "flashbias/error.hpp"
#include "flashbias/plan.hpp"
#include "tests/gpu/all_biases.hpp"
#include "tests/gpu/attention_case.hpp"
#include "tests/gpu/gradient_case.hpp"

namespace flashbias::testing {
namespace {

/// Random configs and shapes, of any sort that there is.
class RandomCases {
 public:
  explicit RandomCases(std::uint64_t seed) : random_(seed) {}

  AttentionCase next() {
    AttentionCase attention;
    AttentionConfig& config = attention.config;
    config.direction = one_in(3) ? Direction::backward : Direction::forward;
    config.dtype = one_in(3) ? DType::bf16 : DType::f16;
    config.head_dim = 8 * number(1, one_in(3) ? 32 : 16);
    config.head_dim_v = one_in(4) ? 8 * number(1, 32) : config.head_dim;
    const std::vector<Expr> biases = all_biases();
    config.bias = biases[static_cast<std::size_t>(number(0, static_cast<int>(biases.size()) - 1))];
    config.causal = one_in(2);
    if (one_in(4)) config.main_loop = MainLoop::portable;
    config.log_sum_exp = one_in(2);
    attention.batch = number(1, 3);
    attention.kv_heads = number(1, 3);
    attention.heads = attention.kv_heads * number(1, 3);
    attention.q_length = length();
    attention.kv_length = one_in(2) ? attention.q_length : length();
    attention.layout = static_cast<Layout>(number(0, 3));
    attention.score_spread = one_in(4) ? 4 : 1;
    attention.inputs_a_head = !one_in(3);
    attention.inputs_a_batch_item = one_in(3) && attention.layout != Layout::broadcast_batch;
    attention.seed = random_();
    return attention;
  }

 private:
  int number(int low, int high) { return std::uniform_int_distribution(low, high)(random_); }
  bool one_in(int count) { return number(1, count) == 1; }
  /// As many short as long ones.
  int length() { return number(1, 1 << number(0, 9)); }

  std::mt19937_64 random_;
};

/// What a bias cannot be served with is told when it is planned.
bool can_be_planned(AttentionConfig config) {
  if (config.arch.is_current_device()) config.arch = Arch{90};
  try {
    (void)plan(config);
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

// FLASHBIAS_SOAK_SECONDS=600 flashbias_gpu_tests --no-skip -tc="random problems*": each failure prints the seed, with
// which, as FLASHBIAS_SOAK_SEED, the same problem comes first, on the same numbers.
TEST_CASE("random problems of every sort match float64" * doctest::skip()) {
  const char* seconds = std::getenv("FLASHBIAS_SOAK_SECONDS");
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::seconds(seconds == nullptr ? 60 : std::stoi(seconds));
  const char* first = std::getenv("FLASHBIAS_SOAK_SEED");
  std::uint64_t seed = first == nullptr ? std::random_device{}() : std::stoull(first) - 1;
  int count = 0;
  while (std::chrono::steady_clock::now() < end) {
    ++seed;
    CAPTURE(seed);
    AttentionCase attention = RandomCases(seed).next();
    if (!can_be_planned(attention.config)) continue;
    ++count;
    if (attention.config.direction == Direction::forward) {
      check_all({attention});
    } else {
      // Gradients of what is broadcast over the batch would be written twice.
      if (attention.layout == Layout::broadcast_batch) attention.layout = Layout::packed;
      check_gradients({attention});
    }
  }
  MESSAGE(count << " problems, the last of seed " << seed);
  CHECK(count > 0);
}

}  // namespace flashbias::testing
