#include "flashbias/jit.hpp"

#include <doctest/doctest.h>

#include "tests/errors.hpp"

using namespace flashbias;
using testing::message_of;
using testing::says;

TEST_CASE("get_cubin asks for a real architecture") {
  CHECK(says(message_of(ErrorCode::invalid_config, [] { (void)jit::get_cubin({}); }), "arch"));
}

TEST_CASE("get_cubin rejects what no kernel serves, by name and value") {
  const auto message = [](const AttentionConfig& config) {
    return message_of(ErrorCode::invalid_config, [&] { (void)jit::get_cubin(config); });
  };
  CHECK(says(message({.head_dim = 7, .arch = Arch{80}}), "head_dim is 7"));
  CHECK(says(message({.head_dim = 264, .arch = Arch{80}}), "head_dim is 264"));
  CHECK(says(message({.head_dim_v = 12, .arch = Arch{80}}), "head_dim_v is 12"));
  CHECK(says(message({.arch = Arch{75}}), "arch is"));
}

TEST_CASE("get tells what is wrong with a config before what the machine lacks") {
  CHECK(says(message_of(ErrorCode::invalid_config, [] { (void)jit::get({.head_dim = 7}); }), "head_dim is 7"));
}
