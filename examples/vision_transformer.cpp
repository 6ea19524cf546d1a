// Swin Transformer V2's relative position table (Liu et al. 2022): windows of 24 x 24 tokens, the first stage of
// SwinV2-B at 384 x 384.
#include "common.hpp"

int main() {
  using namespace flashbias;
  constexpr int kWindow = 24;
  constexpr int kEntries = (2 * kWindow - 1) * (2 * kWindow - 1);
  const example::Sizes sizes{.batch = 16, .heads = 4, .seqlen = std::int64_t{kWindow} * kWindow};
  AttentionConfig config;
  config.head_dim = 32;
  config.bias = bias::window_relative_position(kWindow, kWindow);

  return example::demonstrate(config, sizes, [&] {
    example::Inputs inputs;
    inputs["relative_bias"] = example::normal(DType::f32, {1, sizes.heads, kEntries});
    return inputs;
  });
}
