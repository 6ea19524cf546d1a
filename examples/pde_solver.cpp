// Attention over the points of a mesh, biased by their distance in space with a weight for each query: the neural PDE
// solver of FlashBias, here on a small mesh.
#include "common.hpp"

int main() {
  using namespace flashbias;
  const example::Sizes sizes{.batch = 1, .heads = 8, .seqlen = 8192};
  AttentionConfig config;
  config.head_dim = 16;
  config.bias = bias::squared_distance(3, bias::DistanceWeight::per_query);

  return example::demonstrate(config, sizes, [&] {
    const auto points = example::normal(DType::f32, {1, sizes.seqlen, 1, 3});  // shared by the heads
    example::Inputs inputs;
    inputs["q_positions"] = inputs["k_positions"] = points;
    inputs["distance_weight"] = example::normal(DType::f32, {1, sizes.seqlen, 1, 1});
    return inputs;
  });
}
