#include "tests/gpu/all_biases.hpp"

namespace flashbias::testing {

using bias::DistanceWeight;

std::vector<Expr> all_biases() {
  using namespace bias;
  const Expr difference = q_index() - kv_index();
  return {
      none(),
      alibi(),
      alibi() + key_padding_mask(),
      relative_position(16),
      t5_relative_position(),
      t5_relative_position(32, 128, false),
      window_relative_position(8, 8),
      window_relative_position(24, 24) + key_padding_mask(),
      earth_relative_position(2, 6, 12),
      squared_distance(2, DistanceWeight::none),
      squared_distance(3, DistanceWeight::per_query),
      squared_distance(3, DistanceWeight::per_key) + key_padding_mask(),
      squared_distance(6, DistanceWeight::per_head),
      low_rank(1),
      low_rank(8),
      low_rank(21) + key_padding_mask(),
      low_rank(96),
      low_rank(128),
      dense(),
      dense(DType::f32) + key_padding_mask(),
      alibi() + t5_relative_position() + low_rank(8) + key_padding_mask(),
      select(abs(difference) < 100, -sqrt(1.0 + abs(head_scalar("width") * real(difference))), -infinity()),
      log(1.0 + abs(head_scalar("gate")) *
                    dot(query_input("a", 2) - key_input("b", 2), query_input("a", 2) - key_input("b", 2))),
      -head_scalar("gate") *
          atan2(sqrt(dot(query_input("a", 3) - key_input("b", 3), query_input("a", 3) - key_input("b", 3))),
                sqrt(dot(query_input("a", 3) + key_input("b", 3), query_input("a", 3) + key_input("b", 3)))),
      query_input("shift") + key_input("height") * head_scalar("gain"),
      approximate(window_relative_position(24, 24), 16) + approximate(-abs(difference), 5),
  };
}

}  // namespace flashbias::testing
