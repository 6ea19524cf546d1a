// AlphaFold 3's pair bias as learned factors of rank 96 (FlashBias): triangle attention over the rows of the pair
// matrix, which all share one bias.
#include "common.hpp"

int main() {
  using namespace flashbias;
  constexpr int kRank = 96;
  const example::Sizes sizes{.batch = 32, .heads = 4, .seqlen = 768};
  AttentionConfig config;
  config.dtype = DType::bf16;
  config.head_dim = 32;
  config.bias = bias::low_rank(kRank);

  return example::demonstrate(config, sizes, [&] {
    const double deviation = std::pow(kRank, -0.25);  // biases of variance 1
    example::Inputs inputs;                           // a batch of 1 is broadcast
    inputs["q_factors"] = example::normal(config.dtype, {1, sizes.seqlen, sizes.heads, kRank}, deviation);
    inputs["k_factors"] = example::normal(config.dtype, {1, sizes.seqlen, sizes.heads, kRank}, deviation);
    return inputs;
  });
}
