#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdlib>

#include "tests/driver/lookups.hpp"
#include "tests/temporary_directory.hpp"

int main(int argc, char** argv) {
  const flashbias::testing::TemporaryDirectory home;
  setenv("FLASHBIAS_LIBCUDA", FAKE_DRIVER, 1);
  setenv("FLASHBIAS_CACHE_DIR", (home.path() / "cache").c_str(), 1);
  flashbias::testing::configure_counting();
  return doctest::Context(argc, argv).run();
}
