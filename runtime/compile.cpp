#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

#include "flashbias/cubin.hpp"
#include "flashbias/error.hpp"
#include "runtime/compiler_log.hpp"
#include "runtime/nvrtc.hpp"

namespace flashbias {
namespace {

using runtime::Nvrtc;

void check_supported(const Nvrtc& nvrtc, Arch arch) {
  const auto archs = nvrtc.supported_archs();
  if (std::find(archs.begin(), archs.end(), arch.compute_capability) != archs.end()) return;
  throw Error(
      ErrorCode::unsupported_device,
      fmt::format("NVRTC {} ({}) does not compile for {}; it knows sm_{}. Install a newer one with `pip install "
                  "--upgrade nvidia-cuda-nvrtc`, and name its libnvrtc.so in FLASHBIAS_NVRTC: {} is found before it",
                  nvrtc.version(), nvrtc.path().string(), to_string(arch), fmt::join(archs, ", sm_"),
                  nvrtc.path().string()));
}

}  // namespace

std::vector<std::string> compile_options(Arch arch) {
  // Quotients and roots to two units of the last place take no branch: those of IEEE 754 have a biased kernel compile
  // for minutes. -v makes the assembler report registers, shared memory and spills.
  return {"-arch=" + to_string(arch), "--std=c++20", "--prec-div=false", "--prec-sqrt=false", "--ptxas-options=-v"};
}

std::string compiler_version() { return Nvrtc::get().full_version(); }

Cubin compile(const KernelSource& source, Arch arch) {
  const Nvrtc& nvrtc = Nvrtc::get();
  check_supported(nvrtc, arch);
  const auto options = compile_options(arch);
  const auto start = std::chrono::steady_clock::now();
  auto output = nvrtc.compile(source.text, options);
  const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
  if (!output.succeeded) {
    throw Error(ErrorCode::compile_failed, fmt::format("NVRTC {} rejected the source with options `{}`:\n{}",
                                                       nvrtc.version(), fmt::join(options, " "), output.log));
  }
  return {.image = std::move(output.cubin),
          .resources = runtime::parse_resources(output.log),
          .compile_ms = elapsed.count()};
}

}  // namespace flashbias
