// Serving from a pack: no compiler in the process or on the machine, and no cache directory to write to. All kernels
// are loaded when the process starts, so that one that is missing from the pack stops it there and not under load.
//
//     flashbias precompile --manifest examples/deployment.toml --arch sm_90a --pack kernels.fbpack
//     example_deployment kernels.fbpack
#include "common.hpp"

using namespace flashbias;

/// The kernels of a decoder, as examples/deployment.toml lists them.
std::vector<AttentionConfig> configs() {
  std::vector<AttentionConfig> all;
  for (const DType dtype : {DType::f16, DType::bf16}) {
    all.push_back({.dtype = dtype, .head_dim = 64, .bias = bias::alibi(), .causal = true});
  }
  return all;
}

void report(const jit::Lookup& lookup) { std::cout << to_string(lookup) << '\n'; }

/// ALiBi's slopes, 2^(-8 (h + 1) / H).
example::Inputs slopes(std::int64_t heads) {
  std::int64_t head = 0;
  const auto slope = [&] { return std::exp2(-8.0 * static_cast<double>(++head) / static_cast<double>(heads)); };
  return {{"slopes", example::tensor(DType::f32, {heads}, slope)}};
}

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "example_deployment PACK [--load-only]\n";
    return 2;
  }
  try {
    jit::KernelCache kernels({.packs = {argv[1]}, .compile = jit::Compile::never, .on_lookup = report});
    for (const auto& config : configs()) (void)kernels.get(config);
    std::cout << kernels.counters().pack_hits << " kernels from " << argv[1] << '\n';
    if (argc > 2) return 0;

    const example::Sizes sizes{.batch = 1, .heads = 8, .seqlen = 1000};
    return example::run_and_check(kernels.get(configs().front()), sizes, slopes(sizes.heads)) ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
