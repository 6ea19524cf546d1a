#include "tests/driver/lookups.hpp"

#include <atomic>
#include <utility>

#include "flashbias/jit.hpp"

namespace flashbias::testing {
namespace {

std::atomic<int> lookups = 0;

}  // namespace

void configure_counting() {
  jit::Options options = jit::Options::from_environment();
  options.on_lookup = [](const jit::Lookup&) { ++lookups; };
  jit::configure(std::move(options));
}

int counted_lookups() { return lookups; }

}  // namespace flashbias::testing
