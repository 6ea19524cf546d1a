#include "flashbias/config.hpp"

#include <doctest/doctest.h>

#include "tests/errors.hpp"

using namespace flashbias;
using namespace flashbias::bias;
using testing::message_of;
using testing::says;

namespace {

std::string rejection(const AttentionConfig& config) {
  return message_of(ErrorCode::invalid_config, [&] { validate(config); });
}

std::string config_error(std::string_view text, ErrorCode code = ErrorCode::parse) {
  return message_of(code, [&] { (void)parse_config(text); });
}

}  // namespace

TEST_CASE("configs compare and hash by what they ask for") {
  const AttentionConfig base{.head_dim = 128, .bias = alibi(), .causal = true};
  const AttentionConfig same{.head_dim = 128, .head_dim_v = 128, .bias = alibi(), .causal = true};
  CHECK(base == same);
  CHECK(hash_value(base) == hash_value(same));

  std::vector<AttentionConfig> different(8, base);
  different[0].dtype = DType::bf16;
  different[1].head_dim = 64;
  different[2].head_dim_v = 64;
  different[3].bias = none();
  different[4].causal = false;
  different[5].log_sum_exp = true;
  different[6].arch = {90};
  different[7].main_loop = MainLoop::portable;
  for (const AttentionConfig& other : different) {
    CAPTURE(to_string(other));
    CHECK_FALSE(base == other);
    CHECK(hash_value(base) != hash_value(other));
  }
}

TEST_CASE("what kernels can serve is accepted") {
  CHECK_NOTHROW(validate({}));
  CHECK_NOTHROW(validate({.head_dim = 8, .head_dim_v = 256, .bias = alibi() + key_padding_mask()}));
  CHECK_NOTHROW(validate({.dtype = DType::bf16, .bias = kv_index() - q_index(), .arch = {120}}));
}

TEST_CASE("what no kernel serves is refused by field, value and remedy") {
  CHECK(rejection({.dtype = DType::f32}) == "dtype is f32; q, k and v must be f16 or bf16");
  CHECK(rejection({.head_dim = 7}) ==
        "head_dim is 7; it must be a multiple of 8 from 8 to 256; pad q and k with zeros to 8");
  CHECK(rejection({.head_dim = 264}) == "head_dim is 264; it must be a multiple of 8 from 8 to 256");
  CHECK(rejection({.head_dim = 0}) == "head_dim is 0; it must be a multiple of 8 from 8 to 256");
  CHECK(rejection({.head_dim_v = -8}) == "head_dim_v is -8; it must be a multiple of 8 from 8 to 256");
  CHECK(rejection({.head_dim_v = 100}) ==
        "head_dim_v is 100; it must be a multiple of 8 from 8 to 256; pad v with zeros to 104");
  CHECK(says(rejection({.bias = query_input("x", 3)}), "bias is `query_input(x, 3)` (real[3]); it must be one number"));
  CHECK(says(rejection({.bias = q_index() < kv_index()}), "bias is `q_index() < kv_index()` (boolean)"));
  CHECK(says(rejection({.bias = query_input("x") + key_input("x")}), "'x' is used both as"));
  CHECK(rejection({.arch = {75}}) ==
        "arch is sm_75; it must be one of sm_80, sm_86, sm_89, sm_90a, sm_100, sm_120, or current");
  Expr many = 0.0;
  for (int i = 0; i < 65; ++i) many = many + head_scalar("s" + std::to_string(i));
  CHECK(says(rejection({.bias = many}), "bias reads 65 inputs; at most 64"));
}

TEST_CASE("the canonical text holds every field") {
  CHECK(to_string(AttentionConfig{}) ==
        "direction=forward dtype=f16 head_dim=64 head_dim_v=64 causal=false log_sum_exp=false arch=current "
        "bias=\"none()\"");
  CHECK(to_string(AttentionConfig{.dtype = DType::bf16,
                                  .head_dim = 128,
                                  .head_dim_v = 64,
                                  .bias = alibi() + key_padding_mask(),
                                  .causal = true,
                                  .log_sum_exp = true,
                                  .arch = {90},
                                  .main_loop = MainLoop::portable}) ==
        "direction=forward dtype=bf16 head_dim=128 head_dim_v=64 causal=true log_sum_exp=true arch=sm_90a "
        "main_loop=portable bias=\"alibi() + key_padding_mask()\"");
}

TEST_CASE("fields come in any order, and absent ones take their defaults") {
  CHECK(parse_config("") == AttentionConfig{});
  CHECK(parse_config("main_loop=hopper") == AttentionConfig{.main_loop = MainLoop::hopper});
  CHECK(parse_config("  bias=alibi()\n causal=\"true\" head_dim=128 ") ==
        AttentionConfig{.head_dim = 128, .bias = alibi(), .causal = true});
}

TEST_CASE("a mistake in a config is pointed at") {
  CHECK(config_error("dtype=f16 headdim=64") ==
        "column 11: unknown field 'headdim'; did you mean 'head_dim'?\n"
        "  dtype=f16 headdim=64\n"
        "            ^");
  CHECK(says(config_error("colour=red"), "column 1: unknown field 'colour'\n"));
  CHECK(says(config_error("causal=true causal=true"), "column 13: field 'causal' is given twice"));
  CHECK(says(config_error("causal=yes"), "column 8: field 'causal': expected true or false, not 'yes'"));
  CHECK(says(config_error("head_dim=64.0"), "field 'head_dim': expected an integer, not '64.0'"));
  CHECK(says(config_error("head_dim="), "field 'head_dim': expected an integer, not ''"));
  CHECK(says(config_error("dtype=half"), "field 'dtype': unknown dtype 'half'"));
  CHECK(says(config_error("direction=sideways"), "unknown direction 'sideways'"));
  CHECK(says(config_error("arch=sm_70", ErrorCode::unsupported_device), "field 'arch': unknown architecture 'sm_70'"));
  CHECK(says(config_error("head_dim"), "expected field=value, not 'head_dim'"));
  CHECK(says(config_error("bias=alibi() + dense()"), "a value that holds spaces is written in double quotes"));
  CHECK(says(config_error("bias=\"alibi()"), "column 6: the quote that opens here is never closed"));
  CHECK(says(config_error("bias=\"alibi()\"causal=true"), "expected a space between fields"));
  CHECK(config_error("bias=\"alibi( + 1\"") ==
        "field 'bias', column 8: expected ')', not '+'; the form is alibi()\n"
        "  alibi( + 1\n"
        "         ^");
}
