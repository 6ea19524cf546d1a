#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>
#include <exception>

#include "flashbias/jit.hpp"

namespace {

constexpr int kSkipped = 77;  // ctest's SKIP_RETURN_CODE

}  // namespace

int main(int argc, char** argv) {
  try {
    std::printf("GPU tests for %s\n", flashbias::to_string(flashbias::jit::current_arch()).c_str());
  } catch (const std::exception& error) {
    std::printf("GPU tests skipped: %s\n", error.what());
    return kSkipped;
  }
  return doctest::Context(argc, argv).run();
}
