#include <flashbias/flashbias.hpp>
#include <iostream>

// Plans and emits a kernel, which needs neither a GPU nor a CUDA toolkit.
int main() {
  using namespace flashbias;
  const KernelPlan plan = flashbias::plan({.bias = bias::alibi(), .causal = true, .arch = parse_arch("sm_90a")});
  const KernelSource source = emit(plan);
  std::cout << "flashbias " << FLASHBIAS_VERSION << '\n' << explain(plan);
  return source.text.find(kernel_name(Direction::forward)) == std::string::npos;
}
