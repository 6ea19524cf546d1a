#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

#include "flashbias/error.hpp"
#include "flashbias/source.hpp"
#include "tests/codegen/random_expr.hpp"

namespace flashbias {
namespace {

std::string emitted(const AttentionConfig& config) { return emit(plan(config)).text; }

std::string read(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

// FLASHBIAS_UPDATE_GOLDENS=1 writes the files anew; read the difference before you commit it.
TEST_CASE("emitted text is as in the golden files") {
  const Arch arch{90};
  const std::pair<const char*, AttentionConfig> goldens[] = {
      {"none.cu.txt", {.head_dim = 128, .arch = arch}},
      {"alibi_causal.cu.txt",
       {.dtype = DType::bf16,
        .head_dim = 64,
        .bias = bias::alibi(),
        .causal = true,
        .log_sum_exp = true,
        .arch = arch}},
      {"window_and_factors.cu.txt",
       {.head_dim = 32,
        .bias = bias::window_relative_position(24, 24) + bias::low_rank(21) + bias::key_padding_mask(),
        .arch = arch}},
      {"backward.cu.txt",
       {.direction = Direction::backward,
        .head_dim = 32,
        .bias = bias::alibi() + bias::squared_distance(2, bias::DistanceWeight::none),
        .arch = Arch{80}}},
      {"backward_hopper.cu.txt",
       {.direction = Direction::backward,
        .head_dim = 64,
        .bias = bias::alibi() + bias::low_rank(16),
        .causal = true,
        .arch = arch}},
  };
  for (const auto& [name, config] : goldens) {
    const std::string path = std::string(FLASHBIAS_GOLDENS) + "/" + name;
    if (std::getenv("FLASHBIAS_UPDATE_GOLDENS") != nullptr) std::ofstream(path) << emitted(config);
    CAPTURE(path);
    CHECK(emitted(config) == read(path));
  }
}

TEST_CASE("a source holds only what its config needs") {
  const Arch arch{90};
  const std::string plain = emitted({.head_dim = 64, .arch = arch});
  for (const char* part : {"p.log_sum_exp", "FactorTiles", "KeyTermColumns", "Diagonals", "SharedTable", "PairRows",
                           "bf16", "struct Input", "q_index + 1 +"})
    CHECK_FALSE(contains(plain, part));
  const std::string factors = emitted({.head_dim = 64, .bias = bias::low_rank(8), .causal = true, .arch = Arch{80}});
  CHECK(contains(factors, "FactorTiles<F16, 8> factors0;"));
  CHECK(contains(factors, "q_index + 1 +"));
  CHECK_FALSE(contains(factors, "KeyTermColumns"));
  CHECK_FALSE(contains(factors, "wgmma"));
  const std::string fetched = emitted({.head_dim = 64, .bias = bias::low_rank(8), .causal = true, .arch = arch});
  CHECK(contains(fetched, "FactorTiles<8> factors0;"));
  CHECK(contains(fetched, "TensorMap factors0_q_map, factors0_k_map;"));
  CHECK(contains(fetched, "struct Schedule"));
  for (const char* part : {"find_block_again", "load_tile(", "kOutputTakesQueries = true", "p.log_sum_exp"})
    CHECK_FALSE(contains(fetched, part));
}

TEST_CASE("a source stands alone, with config, plan and reasons at its top") {
  const std::string text = emitted({.head_dim = 64, .bias = bias::alibi(), .causal = true, .arch = Arch{90}});
  CHECK_FALSE(contains(text, "#include"));
  CHECK(text.starts_with("// config: direction=forward dtype=f16 head_dim=64"));
  CHECK(text.find("// bias:   alibi()") < text.find("using i64"));
}

TEST_CASE("any bias is emitted, or refused with an error of flashbias") {
  testing::RandomExpr random(4);
  int served = 0;
  constexpr int kBiases = 400;
  for (int i = 0; i < kBiases; ++i) {
    const Expr bias = random.number(random.below(6));
    CAPTURE(to_string(bias));
    try {
      const std::string text = emitted({.head_dim = 16, .bias = bias, .causal = i % 2 == 0, .arch = Arch{90}});
      CHECK_FALSE(contains(text, "inf.0f"));
      ++served;
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::invalid_config);
    }
  }
  CHECK(served > kBiases / 4);
}

TEST_CASE("the same config gives the same bytes, another architecture's limits another plan") {
  const AttentionConfig config{.head_dim = 256, .bias = bias::low_rank(128), .arch = Arch{90}};
  AttentionConfig small = config;
  small.arch = Arch{86};
  CHECK(emitted(config) == emitted(config));
  CHECK(emitted(config) != emitted(small));
}

}  // namespace flashbias
