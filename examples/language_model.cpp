// ALiBi (Press et al. 2022), as in FlashBias' language model: 50 heads of 32, causal.
#include "common.hpp"

int main() {
  using namespace flashbias;
  const example::Sizes sizes{.batch = 1, .heads = 50, .seqlen = 4096};
  AttentionConfig config;
  config.head_dim = 32;
  config.bias = bias::alibi();
  config.causal = true;

  return example::demonstrate(config, sizes, [&] {
    example::Inputs inputs;
    double slope = 1;
    inputs["slopes"] = example::tensor(DType::f32, {sizes.heads}, [&] { return slope *= std::exp2(-8.0 / 50); });
    return inputs;
  });
}
