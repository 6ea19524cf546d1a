#include <doctest/doctest.h>

#include "tests/gpu/attention_case.hpp"
#include "tests/gpu/gradient_case.hpp"

namespace flashbias::testing {

TEST_CASE("deterministic gradients are the same bits in each of 100 runs") {
  for (const bool has_factors : {false, true}) {
    AttentionCase attention{.config = {.direction = Direction::backward,
                                       .bias = has_factors ? bias::low_rank(16) : bias::alibi(),
                                       .causal = !has_factors,
                                       .deterministic = true},
                            .q_length = 1000,
                            .kv_length = 1300,
                            .inputs_a_batch_item = has_factors};
    CAPTURE(to_string(attention));
    CHECK(gradients_repeat(attention, 100));
  }
}

}  // namespace flashbias::testing
