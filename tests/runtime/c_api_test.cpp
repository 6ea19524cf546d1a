#include <doctest/doctest.h>

#include <string>
#include <thread>

#include "flashbias/flashbias.h"

extern "C" int check_c_api(void);

TEST_CASE("the C API works from C, and reports errors by status and text") { CHECK(check_c_api() == 0); }

TEST_CASE("the C API keeps the text of errors by thread") {
  CHECK(flashbias_get("dtype=f64", nullptr) == FLASHBIAS_INVALID_ARGUMENT);
  const std::string here = flashbias_last_error();
  std::string there = "unset";
  std::thread([&] { there = flashbias_last_error(); }).join();
  CHECK(there.empty());
  CHECK(here == "kernel is NULL");
  CHECK(flashbias_last_error() == here);
}
