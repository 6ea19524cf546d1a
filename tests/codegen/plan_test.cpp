#include "flashbias/plan.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "codegen/tiles.hpp"
#include "flashbias/error.hpp"
#include "tests/errors.hpp"

namespace flashbias {
namespace {

KernelPlan plan_of(const Expr& expr, bool causal = false) {
  return plan({.head_dim = 64, .bias = expr, .causal = causal, .arch = Arch{90}});
}

std::vector<Lowering> lowerings(const Expr& expr, bool causal = false) {
  std::vector<Lowering> result;
  for (const TermPlan& term : plan_of(expr, causal).terms) result.push_back(term.lowering);
  return result;
}

using Lowerings = std::vector<Lowering>;

}  // namespace

TEST_CASE("each named bias has the lowering that suits it") {
  CHECK(lowerings(bias::none()).empty());
  CHECK(lowerings(bias::alibi(), true) == Lowerings{Lowering::key_column});
  CHECK(lowerings(bias::alibi(), false) == Lowerings{Lowering::diagonal});
  CHECK(lowerings(bias::relative_position(32)) == Lowerings{Lowering::diagonal});
  CHECK(lowerings(bias::t5_relative_position()) == Lowerings{Lowering::diagonal});
  CHECK(lowerings(bias::window_relative_position(24, 24)) == Lowerings{Lowering::table});
  CHECK(lowerings(bias::earth_relative_position(2, 6, 12)) == Lowerings{Lowering::table});
  CHECK(lowerings(bias::squared_distance(3)) == Lowerings{Lowering::registers});
  CHECK(lowerings(bias::low_rank(16)) == Lowerings{Lowering::factors});
  CHECK(lowerings(bias::dense()) == Lowerings{Lowering::dense});
  CHECK(lowerings(bias::key_padding_mask()) == Lowerings{Lowering::key_column});
}

TEST_CASE("terms are lowered one by one") {
  CHECK(lowerings(bias::alibi() + bias::low_rank(8) + bias::key_padding_mask() + bias::query_input("shift"), true) ==
        Lowerings{Lowering::key_column, Lowering::factors, Lowering::key_column, Lowering::dropped});
}

TEST_CASE("an approximation is lowered to its factors, and explained as one") {
  const Expr approximation = bias::approximate(bias::window_relative_position(24, 24), 24);
  const KernelPlan made = plan_of(approximation + bias::approximate(bias::dense(), 8));
  REQUIRE(made.terms.size() == 2);
  CHECK(made.terms[0].lowering == Lowering::factors);
  CHECK(made.terms[1].lowering == Lowering::factors);
  std::set<std::string> inputs;
  for (const InputSpec& input : made.inputs) inputs.insert(input.name);
  CHECK(inputs == std::set<std::string>{"q_factors_window_relative_position_24_24",
                                        "k_factors_window_relative_position_24_24", "q_factors_dense",
                                        "k_factors_dense"});
  const std::string text = explain(made);
  CHECK(text.find("an approximation of window_relative_position(24, 24): exact for the factors supplied as "
                  "q_factors_window_relative_position_24_24 and k_factors_window_relative_position_24_24") !=
        std::string::npos);
  CHECK(explain_json(made).find("\"approximates\": [\n        \"dense()\"") != std::string::npos);
  CHECK(explain(plan_of(bias::low_rank(8))).find("approximation") == std::string::npos);
}

TEST_CASE("two approximations of one expression at different ranks are told apart") {
  const std::string message = testing::message_of(ErrorCode::invalid_config, [] {
    static_cast<void>(plan_of(bias::approximate(bias::alibi(), 4) + bias::approximate(bias::alibi(), 8)));
  });
  CHECK(message.find("'q_factors_alibi' is used both as") != std::string::npos);
}

TEST_CASE("a linear bias is split however it is written") {
  const Expr slope = bias::head_scalar("slope");
  const Expr distance = bias::q_position() - bias::kv_index();
  CHECK(lowerings(-slope * distance) == Lowerings{Lowering::key_column});
  CHECK(lowerings(slope * (bias::kv_index() - bias::q_index()) / 3.0) == Lowerings{Lowering::key_column});
  CHECK(lowerings(2.0 * bias::kv_index() * slope) == Lowerings{Lowering::key_column});
  CHECK(lowerings(bias::q_index() * 0.5) == Lowerings{Lowering::dropped});
}

TEST_CASE("a causal mask resolves the absolute value of a distance, and nothing else does") {
  const Expr slope = bias::head_scalar("slope");
  CHECK(lowerings(slope * abs(bias::kv_index() - bias::q_position()), true) == Lowerings{Lowering::key_column});
  // q_index is not q_position: where lengths differ the sign is unknown.
  CHECK(lowerings(slope * abs(bias::kv_index() - bias::q_index()), true) == Lowerings{Lowering::diagonal});
  CHECK(lowerings(slope * abs(bias::kv_index() - bias::q_position() + 1), true) == Lowerings{Lowering::diagonal});
}

TEST_CASE("factors of distances in declared ranges beat differences at any head dimension") {
  const auto lowering = [](int head_dim, Arch arch) {
    const Expr distance = bias::squared_distance(3).range("q_positions", -1, 1).range("k_positions", -1, 1);
    return plan({.head_dim = head_dim, .bias = distance.range("distance_weight", 0, 2), .arch = arch})
        .terms.at(0)
        .lowering;
  };
  for (const Arch arch : {Arch{80}, Arch{90}})
    for (const int head_dim : {16, 32, 64, 128}) CHECK(lowering(head_dim, arch) == Lowering::factors);
}

TEST_CASE("an integer bias is as good as a real one") {
  CHECK(lowerings(bias::kv_index() - bias::q_index()) == Lowerings{Lowering::key_column, Lowering::dropped});
  CHECK(lowerings(2 * (bias::kv_index() - bias::q_index())) == Lowerings{Lowering::key_column});
}

TEST_CASE("a long product that cannot become factors is refused with the remedy") {
  const Expr product = dot(bias::query_input("a", 64), bias::key_input("b", 64));
  const std::string message =
      testing::message_of(ErrorCode::invalid_config, [&] { static_cast<void>(plan_of(abs(product))); });
  CHECK(message.find("abs(dot(query_input(a, 64), key_input(b, 64)))") != std::string::npos);
  CHECK(message.find("64 components is too long to be evaluated for each score, which is limited to 16") !=
        std::string::npos);
  CHECK(message.find("factors of the dtype of q") != std::string::npos);
}

TEST_CASE("supplied factors of any type run on the tensor cores, f32 in three parts") {
  CHECK(lowerings(bias::low_rank(8)) == Lowerings{Lowering::factors});
  CHECK(lowerings(bias::low_rank(8, DType::bf16)) == Lowerings{Lowering::factors});
  CHECK(lowerings(bias::low_rank(96, DType::f32)) == Lowerings{Lowering::factors});
  CHECK(plan_of(bias::low_rank(96, DType::f32)).terms.at(0).reason.find("36 more tensor-core steps") == 0);
}

TEST_CASE("a plan is made for a real architecture") {
  CHECK(testing::message_of(ErrorCode::invalid_config, [] {
          static_cast<void>(plan({.head_dim = 64}));
        }).find("\"current\"") != std::string::npos);
}

TEST_CASE("on Hopper the main loop is the one that was measured faster, with its reason") {
  const auto choice = [](const AttentionConfig& config) {
    const KernelPlan made = plan(config);
    return std::pair(made.main_loop, made.main_loop_reason);
  };
  const Arch hopper{90};
  CHECK(choice({.head_dim = 128, .arch = hopper}).first == MainLoop::hopper);
  CHECK(choice({.head_dim = 256, .head_dim_v = 8, .bias = bias::dense(), .arch = hopper}).first == MainLoop::hopper);
  CHECK(choice({.head_dim = 128, .arch = Arch{80}}) == std::pair(MainLoop::portable, std::string("the one for sm_80")));
  CHECK(choice({.head_dim = 64, .bias = bias::low_rank(8), .arch = hopper}).first == MainLoop::hopper);
  const auto [factors, of_factors] = choice({.head_dim = 64, .bias = bias::low_rank(9), .arch = hopper});
  CHECK(factors == MainLoop::portable);
  CHECK(of_factors == "factors of rank 9: the copy engine of Hopper fetches ranks that are multiples of 8");
  CHECK(choice({.head_dim = 16, .arch = hopper}).first == MainLoop::hopper);
  CHECK(choice({.head_dim = 16, .bias = bias::dense(), .arch = hopper}).first == MainLoop::hopper);
  CHECK(choice({.head_dim = 16, .bias = bias::squared_distance(3), .arch = hopper}).first == MainLoop::portable);
  CHECK(choice({.head_dim = 64, .arch = hopper, .tile = TileShape{}}).first == MainLoop::portable);
  const auto window = [&](int side) {
    return choice({.head_dim = 64, .bias = bias::window_relative_position(side, side), .arch = hopper}).first;
  };
  CHECK(window(24) == MainLoop::hopper);
  CHECK(window(12) == MainLoop::portable);
}

TEST_CASE("the main loop that a config asks for is taken, or refused with the reason") {
  for (const Direction direction : {Direction::forward, Direction::backward}) {
    AttentionConfig config{
        .direction = direction, .bias = bias::alibi(), .arch = Arch{90}, .main_loop = MainLoop::portable};
    CHECK(plan(config).main_loop == MainLoop::portable);
    CHECK(plan(config).main_loop_reason == "the one that the config asks for");
    config.main_loop = MainLoop::hopper;
    CHECK(plan(config).main_loop == MainLoop::hopper);
    config.arch = Arch{80};
    CHECK(testing::message_of(ErrorCode::invalid_config, [&] { (void)plan(config); }) ==
          "main_loop is hopper, but this config takes the portable one (the one for sm_80); leave it out");
  }
}

TEST_CASE("a plan tells which inputs the copy engine fetches, and what it cannot fetch") {
  const KernelPlan dense = plan_of(bias::dense() + bias::pair_input("a_mask", DType::u8) * 2);
  CHECK(dense.tile.pair_tiles);
  CHECK(dense.fetched_pairs == std::vector<std::string>{"a_mask", "bias"});
  CHECK(
      explain(dense).find("a_mask, bias by the copy engine, a tile at a time, where all rows begin at multiples of 16 "
                          "bytes") != std::string::npos);
  CHECK(plan({.head_dim = 64, .bias = bias::dense(), .arch = Arch{80}}).fetched_pairs.empty());
}

TEST_CASE("a plan tells what the tensor cores do with a slope") {
  const auto told = [](Arch arch) {
    return explain(plan({.head_dim = 64, .bias = bias::alibi(), .causal = true, .arch = arch}))
               .find("slope x place of the key in its tile, by one more wgmma step") != std::string::npos;
  };
  CHECK(told(Arch{90}));
  CHECK_FALSE(told(Arch{80}));
}

TEST_CASE("blocks are paired, the longest with the shortest, where the causal mask alone makes them differ") {
  const auto pairs = [](const AttentionConfig& config) { return plan(config).tile.pairs_blocks; };
  const Expr distance = bias::q_position() - bias::kv_index();
  CHECK(pairs({.causal = true, .arch = Arch{90}}));
  CHECK_FALSE(pairs({.arch = Arch{90}}));
  CHECK_FALSE(pairs({.bias = select(distance < 256, 0.0, -bias::infinity()), .causal = true, .arch = Arch{90}}));
  CHECK_FALSE(pairs({.causal = true, .arch = Arch{80}}));
}

TEST_CASE("every tile fits the shared memory of its architecture") {
  for (const Arch arch : supported_archs())
    for (int head_dim = 8; head_dim <= 256; head_dim += 24)
      for (const Expr& expr :
           {bias::none(), bias::low_rank(128), bias::dense(), bias::window_relative_position(24, 24)}) {
        const KernelPlan made = plan({.head_dim = head_dim, .bias = expr, .arch = arch});
        CHECK(made.shared_bytes <= codegen::shared_bytes_limit(arch));
        CHECK(made.tile.block_q % (16 * made.tile.warps) == 0);
        CHECK(made.tile.block_k % 16 == 0);
      }
}

TEST_CASE("a term that is separable tells its rank") {
  const auto rank = [](const Expr& expr) { return plan_of(expr).terms.at(0).separable_rank; };
  CHECK(rank(bias::squared_distance(3, bias::DistanceWeight::per_query)) == 4);
  CHECK(rank(cos(0.1 * (bias::q_index() - bias::kv_index()) * bias::query_input("gate"))) == std::nullopt);
  CHECK(rank(bias::alibi()) == std::nullopt);
  CHECK(rank(bias::low_rank(8)) == 8);
}

TEST_CASE("explain names the config, each term with its fate and reason, and the inputs") {
  const std::string text = explain(plan_of(bias::alibi() + bias::low_rank(8), true));
  CHECK(text.find("kernel: main loop hopper (wgmma): wgmma fed by the copy engine") != std::string::npos);
  CHECK(text.find("config: direction=forward dtype=f16 head_dim=64 head_dim_v=64 causal=true") != std::string::npos);
  CHECK(text.find("alibi()\n        key column: linear in kv_index") != std::string::npos);
  CHECK(text.find("low_rank(8)\n        factors: 1 more tensor-core step of 16") != std::string::npos);
  CHECK(text.find("input:  slopes f32 [B|1, H]") != std::string::npos);
  CHECK(text.find("input:  q_factors f16 [B|1, Nq, H|1, 8]") != std::string::npos);
}

TEST_CASE("a plan tells which tables are too long for shared memory") {
  const auto reason = [](const Expr& expr) {
    return plan({.head_dim = 64, .bias = expr, .arch = Arch{90}}).terms.at(0).reason;
  };
  CHECK(reason(bias::window_relative_position(24, 24)) ==
        "the index is a query part plus a key part: one shared-memory read a score");
  CHECK(reason(bias::window_relative_position(64, 64)) ==
        "the index is a query part plus a key part: one read from memory a score of a table of more than 8192 entries");
}

}  // namespace flashbias
