#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "flashbias/config.hpp"
#include "tests/tools/command.hpp"

using namespace flashbias;
using flashbias::testing::run_command;

namespace {

/// The config that `explain FLAGS` understands, as its canonical text.
std::string explained_config(const std::string& flags) {
  const auto result = run_command("explain --arch sm_90a " + flags);
  INFO(flags, ": ", result.error);
  CHECK(result.status == 0);
  const std::string label = "config: ";
  const auto start = result.out.find(label);
  REQUIRE(start != std::string::npos);
  return result.out.substr(start + label.size(), result.out.find('\n', start) - start - label.size());
}

struct Accepted {
  const char* flags;
  Expr bias;
};

struct RejectedFlags {
  const char* flags;
  const char* message;
};

}  // namespace

TEST_CASE("command: every named bias is built from its flags") {
  const Accepted cases[] = {
      {"--bias alibi", bias::alibi()},
      {"--bias relative --max-distance 64", bias::relative_position(64)},
      {"--bias t5", bias::t5_relative_position()},
      {"--bias t5 --buckets 16 --max-distance 64 --unidirectional", bias::t5_relative_position(16, 64, false)},
      {"--bias window --window 8x12", bias::window_relative_position(8, 12)},
      {"--bias earth --window 2x6x12", bias::earth_relative_position(2, 6, 12)},
      {"--bias distance --dims 2", bias::squared_distance(2)},
      {"--bias distance --dims 3 --weight per_key", bias::squared_distance(3, bias::DistanceWeight::per_key)},
      {"--bias low-rank --rank 24", bias::low_rank(24)},
      {"--bias dense", bias::dense()},
      {"--bias alibi --key-padding-mask", bias::alibi() + bias::key_padding_mask()},
      {"--key-padding-mask", bias::key_padding_mask()},
      {"--bias '-abs(q_position() - kv_index()) * 0.5'", -abs(bias::q_position() - bias::kv_index()) * 0.5},
  };
  for (const auto& [flags, bias] : cases) {
    INFO(flags);
    CHECK(equal(parse_config(explained_config(flags)).bias, bias));
  }
}

TEST_CASE("command: the config's other flags arrive, and its canonical text gives the same config") {
  const auto text = explained_config("--dtype bf16 --head-dim 96 --head-dim-v 64 --causal --lse --bias alibi");
  const auto config = parse_config(text);
  CHECK(config.dtype == DType::bf16);
  CHECK(config.head_dim == 96);
  CHECK(config.head_dim_v == 64);
  CHECK(config.causal);
  CHECK(config.log_sum_exp);
  CHECK(config.arch == parse_arch("sm_90a"));
  CHECK(explained_config("--config '" + text + "'") == text);
}

TEST_CASE("command: gradients are asked for by name, of all by default") {
  const auto config = parse_config(explained_config("--direction backward --gradients q,slopes --bias alibi"));
  CHECK(config.direction == Direction::backward);
  CHECK(config.gradients == std::vector<std::string>{"q", "slopes"});
  CHECK(parse_config(explained_config("--direction backward --bias alibi")).gradients.empty());
  CHECK(parse_config(explained_config("--main-loop portable")).main_loop == MainLoop::portable);
}

TEST_CASE("command: flags that do not make a config are errors that name the flag and the remedy") {
  const RejectedFlags cases[] = {
      {"--arch sm_80 --bias aliby", "did you mean \"alibi\""},
      {"--arch sm_80 --bias alibi --rank 8", "--rank does not apply to --bias alibi; it belongs to low-rank"},
      {"--arch sm_80 --bias low-rank", "--bias low-rank needs --rank"},
      {"--arch sm_80 --bias low-rank --rank 0", "rank 0"},
      {"--arch sm_80 --bias low-rank --rank 200", "1 to 128"},
      {"--arch sm_80 --bias window", "--bias window needs --window 24x24"},
      {"--arch sm_80 --bias window --window 24x", "takes 2 sides"},
      {"--arch sm_80 --bias earth --window 24x24", "takes 3 sides"},
      {"--arch sm_80 --bias distance --dims 3 --weight heavy", "expected none, per_head, per_query or per_key"},
      {"--arch sm_80 --bias 'abs(q_index('", "column"},
      {"--arch sm_80 --head-dim 7", "multiple of 8"},
      {"--head-dim 7", "multiple of 8"},
      {"--arch sm_80 --head-dim 264", "264"},
      {"--arch sm_80 --dtype f64", "f64"},
      {"--arch sm_75", "sm_80"},
      {"--arch sm_80 --config 'head_dim=64' --head-dim 32", "--head-dim and --config"},
      {"--arch sm_80 --config 'head_dim=64 arch=sm_90a'", "contradicts"},
      {"--arch sm_80 --gradients q", "gradients is \"q\", but the direction is forward; set direction=backward"},
      {"--arch sm_80 --direction backward --gradients q,slops --bias alibi", "there is no 'slops'; there are those of"},
      {"--arch sm_80 --direction sideways", "sideways"},
      {"--arch sm_80 --config 'direction=backward' --gradients q", "--gradients and --config"},
      {"--arch sm_80 --main-loop tall", "'tall' is no main loop; accepted are portable, hopper"},
      {"--arch sm_80 --main-loop hopper",
       "main_loop is hopper, but this config takes the portable one (the one for sm_80); leave it out"},
      {"--bias alibi", "pass --arch"},
  };
  for (const auto& [flags, message] : cases) {
    const auto result = run_command(std::string("explain ") + flags);
    INFO(flags, ": ", result.error);
    CHECK(result.status == 1);
    CHECK(result.out.empty());
    CHECK(result.error.starts_with("flashbias: error: "));
    CHECK(result.error.find(message) != std::string::npos);
  }
}

TEST_CASE("command: a number with a leading zero, or none at all, is told what was expected") {
  for (const std::string flag : {"--head-dim", "--head-dim-v", "--rank", "--dims", "--max-distance", "--buckets"}) {
    for (const std::string value : {"0100", "00", "abc", "-8", "1e3", "99999999999"}) {
      const auto result = run_command("explain --arch sm_80 " + flag + " " + value);
      INFO(flag, " ", value, ": ", result.error);
      CHECK(result.status == 2);
      CHECK(result.error.starts_with("flashbias: error: " + flag + ": '" + value +
                                     "'; expected a whole number from 0 to 2147483647"));
    }
  }
  for (const std::string flag : {"--seqlen-q", "--batch", "--seed"}) {
    const auto result = run_command("run --arch sm_80 " + flag + " 0100");
    INFO(flag, ": ", result.error);
    CHECK(result.error.starts_with("flashbias: error: " + flag + ": '0100'; expected a whole number of at least "));
  }
}
