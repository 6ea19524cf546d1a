#include <doctest/doctest.h>

#include "tools/run_attention.hpp"

using namespace flashbias;
using namespace flashbias::tools;

TEST_CASE("operations are those of scores below the diagonal, which ends at the last query and key") {
  AttentionConfig config;
  config.head_dim = 64;
  config.head_dim_v = 32;
  const auto of_scores = [&](std::int64_t queries, std::int64_t keys) {
    const Shape shape{.batch = 2, .heads = 3, .kv_heads = 3, .seqlen_q = queries, .seqlen_k = keys};
    return tera_operations(config, shape) / (2e-12 * 2 * 3 * (64 + 32));
  };
  CHECK(of_scores(100, 300) == doctest::Approx(100 * 300));
  config.causal = true;
  CHECK(of_scores(100, 100) == doctest::Approx(100 * 100 / 2));
  CHECK(of_scores(100, 300) == doctest::Approx(100 * 200 + 100 * 100 / 2));
  CHECK(of_scores(300, 100) == doctest::Approx(100 * 100 / 2));
}
