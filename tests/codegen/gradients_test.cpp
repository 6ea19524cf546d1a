#include "codegen/gradients.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "codegen/backward_program.hpp"
#include "flashbias/config.hpp"
#include "flashbias/plan.hpp"
#include "flashbias/source.hpp"
#include "tests/errors.hpp"

namespace flashbias {
namespace {

using testing::message_of;

AttentionConfig backward(const Expr& bias, std::vector<std::string> gradients = {}) {
  return {.direction = Direction::backward, .bias = bias, .arch = Arch{80}, .gradients = std::move(gradients)};
}

std::string rejection(const AttentionConfig& config) {
  return message_of(ErrorCode::invalid_config, [&] { (void)plan(config); });
}

std::string passes_of(const AttentionConfig& config) {
  std::string text;
  for (const BackwardPass& pass : plan(config).passes) {
    text += pass.owns_keys ? " keys:" : " queries:";
    if (pass.writes_operand) text += pass.owns_keys ? "k" : "q";
    if (pass.writes_values) text += "v";
    if (pass.writes_inputs) text += "+";
    if (pass.adds_to_queries) text += ">q";
  }
  return text;
}

}  // namespace

TEST_CASE("a backward config prints and parses back") {
  const AttentionConfig config = backward(bias::alibi(), {"q", "slopes"});
  CHECK(to_string(config) ==
        "direction=backward dtype=f16 head_dim=64 head_dim_v=64 causal=false log_sum_exp=false arch=sm_80 "
        "gradients=q,slopes bias=\"alibi()\"");
  CHECK(parse_config(to_string(config)) == config);
  CHECK_FALSE(parse_config(to_string(config)) == backward(bias::alibi()));
  CHECK_FALSE(hash_value(config) == hash_value(backward(bias::alibi())));
}

TEST_CASE("gradients that cannot be are refused by name") {
  CHECK(rejection(backward(bias::alibi(), {"slope"})) ==
        "gradients: there is no 'slope'; there are those of q, k, v, slopes");
  CHECK(rejection(backward(bias::alibi(), {"q", "q"})) == "gradients: 'q' is named twice");
  CHECK(rejection(backward(bias::key_padding_mask(), {"key_padding_mask"})) ==
        "gradients: 'key_padding_mask' is an input of u8, and only real numbers have gradients: those of q, k, v");
  CHECK(rejection(backward(bias::key_input("k"))) ==
        "gradients: the bias has an input of the name 'k', which is also that of an operand; give it another");
  AttentionConfig forward = backward(bias::alibi(), {"q"});
  forward.direction = Direction::forward;
  CHECK(rejection(forward) ==
        "gradients is \"q\", but the direction is forward; set direction=backward, or leave it out");
  AttentionConfig forced = backward(bias::alibi());
  forced.lowering = Lowering::registers;
  CHECK(rejection(forced) ==
        "lowering and tile are for the forward pass: the backward pass has one of each; leave them out");
  CHECK(rejection(backward(bias::query_input("a", 17)[0] * bias::key_input("b"))) ==
        "bias: 'a' has 17 numbers a token, and the backward pass keeps up to 16 of an input in registers; more only of "
        "a product dot(query_input, key_input) that is a term of its own, of the dtype of q");
}

TEST_CASE("only what is asked for is computed") {
  CHECK(passes_of(backward(bias::none())) == " keys:kv>q");
  CHECK(passes_of(backward(bias::alibi())) == " keys:kv queries:q+");
  CHECK(passes_of(backward(bias::alibi(), {"slopes"})) == " queries:+");
  CHECK(passes_of(backward(bias::alibi(), {"v"})) == " keys:v");
  CHECK(passes_of(backward(bias::squared_distance(3, bias::DistanceWeight::none), {"k_positions"})) == " keys:+");
  CHECK(passes_of(backward(bias::low_rank(16), {"q_factors", "k_factors"})) == " keys:+ queries:+");
  CHECK(passes_of(backward(bias::low_rank(16), {"q", "q_factors", "k_factors"})) == " keys:+>q");
  const std::string source = emit(plan(backward(bias::alibi(), {"v"}))).text;
  CHECK(source.find("slopes_gradient") == std::string::npos);
}

TEST_CASE("a pass holds as many gradients as fit into registers") {
  AttentionConfig config = backward(bias::low_rank(128));
  config.head_dim = 128;
  CHECK(passes_of(config) == " keys:kv+>q");
  config.deterministic = true;
  CHECK(passes_of(config) == " keys:k+ keys:v queries:q+");
  config.head_dim = 256;
  CHECK(passes_of(config) == " keys:+ keys:k keys:v queries:+ queries:q");
}

TEST_CASE("the portable backward pass has a tile for each architecture's shared memory") {
  const auto tile = [](int head_dim, const Expr& bias, Arch arch) {
    AttentionConfig config = backward(bias);
    config.head_dim = head_dim;
    config.arch = arch;
    const KernelPlan made = plan(config);
    return passes_of(config) + ": " + std::to_string(made.tile.block_q) + "x" + std::to_string(made.tile.block_k) +
           ", " + std::to_string(made.tile.warps) + " warps of " + std::to_string(made.tile.rows_a_warp) + ", " +
           std::to_string(made.tile.stages) + " under way";
  };
  CHECK(tile(16, bias::none(), Arch{80}) == " keys:kv>q: 64x128, 4 warps of 32, 2 under way");
  CHECK(tile(64, bias::none(), Arch{80}) == " keys:kv>q: 64x128, 4 warps of 32, 1 under way");
  CHECK(tile(64, bias::none(), Arch{86}) == " keys:kv>q: 64x128, 8 warps of 16, 2 under way");
  CHECK(tile(64, bias::low_rank(64), Arch{80}) == " keys:kv+>q: 64x128, 8 warps of 16, 2 under way");
  CHECK(tile(128, bias::none(), Arch{80}) == " keys:kv>q: 64x128, 8 warps of 32, 1 under way");
  CHECK(tile(128, bias::none(), Arch{89}) == " keys:kv>q: 64x64, 4 warps of 32, 1 under way");
  CHECK(tile(256, bias::none(), Arch{80}) == " keys:kv>q: 64x64, 8 warps of 16, 1 under way");
  CHECK(tile(256, bias::none(), Arch{86}) == " keys:k keys:v queries:q: 32x32, 2 warps of 16, 1 under way");
}

TEST_CASE(
    "on Hopper keys add to the gradients of queries, unless these need sums of their own or registers are short") {
  const auto passes = [](const Expr& bias, int head_dim, std::vector<std::string> gradients,
                         bool deterministic = false) {
    AttentionConfig config = backward(bias, std::move(gradients));
    config.arch = Arch{90};
    config.head_dim = head_dim;
    config.deterministic = deterministic;
    return passes_of(config);
  };
  CHECK(passes(bias::none(), 128, {}) == " keys:kv>q");
  CHECK(passes(bias::alibi(), 64, {"q", "k", "v"}) == " keys:kv>q");
  CHECK(passes(bias::alibi(), 64, {"q", "k", "v"}, true) == " keys:kv queries:q");
  CHECK(passes(bias::alibi(), 64, {}) == " keys:kv queries:q+");
  CHECK(passes(bias::alibi(), 64, {"q"}) == " queries:q");
  CHECK(passes(bias::low_rank(16), 64, {}) == " keys:kv+>q");
  CHECK(passes(bias::low_rank(96), 32, {}) == " keys:kv+>q");
  CHECK(passes(bias::low_rank(128), 64, {}) == " keys:kv+ queries:q+");
  CHECK(passes(bias::low_rank(96), 32, {"q", "k", "v"}) == " keys:kv>q");
  CHECK(passes(bias::key_input("height"), 64, {}) == " keys:kv+>q");
}

TEST_CASE("warpgroups share out tiles of queries where registers have room, and else columns") {
  const auto form = [](const Expr& bias, int head_dim, std::vector<std::string> gradients) {
    AttentionConfig config = backward(bias, std::move(gradients));
    config.arch = Arch{90};
    config.head_dim = head_dim;
    const BackwardPass pass = plan(config).passes.front();
    return std::string(pass.adds_by_tiles ? "tiles" : "columns") + (pass.joins_factors ? ", joined" : "");
  };
  CHECK(form(bias::none(), 64, {}) == "tiles");
  CHECK(form(bias::none(), 128, {}) == "columns");
  CHECK(form(bias::low_rank(16), 64, {}) == "tiles, joined");
  CHECK(form(bias::low_rank(16), 64, {"q", "k", "v"}) == "tiles");
  CHECK(form(bias::low_rank(16), 64, {"q", "v", "q_factors"}) == "tiles");
  CHECK(form(bias::low_rank(16), 40, {}) == "tiles");  // 40 columns do not fill a strip
  CHECK(form(bias::low_rank(64), 64, {}) == "columns");
}

TEST_CASE("deterministic gradients of inputs go to exact sums") {
  AttentionConfig config = backward(bias::alibi());
  config.deterministic = true;
  CHECK(parse_config(to_string(config)) == config);
  CHECK_FALSE(config == backward(bias::alibi()));
  CHECK_FALSE(hash_value(config) == hash_value(backward(bias::alibi())));
  for (const Arch arch : {Arch{80}, Arch{90}}) {
    config.arch = arch;
    const std::string source = emit(plan(config)).text;
    CHECK(source.find("ExactGradient(p.slopes_gradient, p.workspace, p.slopes_sums, p.slopes_sums_end).add(") !=
          std::string::npos);
    CHECK(source.find("ExactGradient(p.slopes_gradient, p.workspace, p.slopes_sums, p.slopes_sums_end).round()") !=
          std::string::npos);
    CHECK(source.find("p.slopes_gradient.add(") == std::string::npos);
  }
  CHECK(explain(plan(config))
            .find("the gradient of slopes where several warps add to a number: exact sums, 80 bytes of "
                  "workspace each\n") != std::string::npos);
  config.bias = bias::t5_relative_position();
  const std::string source = emit(plan(config)).text;
  CHECK(source.find("atomicAdd(&storage.") == std::string::npos);
  CHECK(source.find("p.relative_bias_sums_end).add(") != std::string::npos);
  config.gradients = {"q", "k"};
  CHECK(emit(plan(config)).text.find("ExactGradient") == std::string::npos);
  config.direction = Direction::forward;
  CHECK(rejection(config) ==
        "deterministic is true, but the direction is forward, whose output is bit-identical from run to run anyway; "
        "leave it out");
}

TEST_CASE("the backward pass takes the main loop for Hopper, or says why not") {
  const auto main_loop = [](AttentionConfig config) {
    if (config.arch == Arch{80}) config.arch = Arch{90};
    const KernelPlan made = plan(config);
    return std::string(to_string(made.main_loop)) + ": " + made.main_loop_reason;
  };
  for (const int head_dim : {8, 64, 128}) {
    AttentionConfig config = backward(bias::alibi() + bias::low_rank(16));
    config.head_dim = head_dim;
    CHECK(main_loop(config) == "hopper: wgmma fed by the copy engine");
  }
  AttentionConfig wide = backward(bias::none());
  wide.head_dim = 136;
  CHECK(main_loop(wide) ==
        "portable: in the one for Hopper the gradients of head dimensions above 128 do not fit registers");
  CHECK(main_loop(backward(bias::none(), {"k", "v"})) == "hopper: wgmma fed by the copy engine");
  CHECK(main_loop(backward(bias::low_rank(21))) ==
        "portable: factors of rank 21: the copy engine of Hopper fetches ranks that are multiples of 8");
  CHECK(plan(backward(bias::none())).main_loop_reason == "the one for sm_80");
}

TEST_CASE("explain tells what each pass writes") {
  const std::string text = explain(plan(backward(bias::squared_distance(3, bias::DistanceWeight::per_query))));
  CHECK(
      text.find("pass:   rows of keys, which walk over the queries: gradients of k, v, k_positions\n"
                "pass:   rows of queries, which walk over the keys: gradients of q, distance_weight, q_positions\n") !=
      std::string::npos);
  AttentionConfig config = backward(bias::low_rank(16));
  config.arch = Arch{90};
  CHECK(
      explain(plan(config))
          .find(
              "pass:   rows of keys, which walk over the queries: gradients of k, v, k_factors\n"
              "        on the way they add to those of q, q_factors, in any order (deterministic=true takes a pass of "
              "its own); each of two warpgroups for every second tile of queries, factors in the products of q and k\n"
              "        328 bytes of workspace for each query and head\n") != std::string::npos);
}

TEST_CASE("each read of a table is summed up where its index stays the same") {
  using namespace bias;
  struct Reads {
    int along_rows = 0, along_columns = 0, along_diagonals = 0, in_runs = 0;
    bool operator==(const Reads&) const = default;
  };
  const auto reads = [](const Expr& bias, std::vector<std::string> gradients = {}) {
    const std::string text = emit(plan(backward(bias, std::move(gradients)))).text;
    const auto count = [&](std::string_view part) {
      int found = 0;
      for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
      return found;
    };
    const int diagonals = count("DiagonalAddends addends(storage.");
    return Reads{.along_rows = count("SumOverKeys sum"),
                 .along_columns = count("EntrySum sum") - diagonals,
                 .along_diagonals = diagonals,
                 .in_runs = count("WalkedAddends<QueryTerms> addends(storage.")};
  };
  const auto far = [](int steps) { return table("far", 40, clamp(kv_index() - q_index(), 0, steps)); };
  const auto segment = [](const Expr& index) { return table("segment", 8, index % 8); };
  const Expr tile = table("tile", 64, kv_index() % 8 * 8 + q_index() % 8);
  CHECK(reads(alibi()) == Reads{});
  CHECK(reads(t5_relative_position()) == Reads{.along_diagonals = 1});
  CHECK(reads(alibi() + relative_position(16)) == Reads{.along_diagonals = 1});
  CHECK(reads(t5_relative_position(), {"q"}) == Reads{});
  CHECK(reads(window_relative_position(8, 8)) == Reads{.in_runs = 1});
  CHECK(reads(t5_relative_position() + tile) == Reads{.along_diagonals = 1, .in_runs = 1});
  CHECK(reads(far(20) * key_input("weight") + 0.5 * far(30)) == Reads{.along_diagonals = 2});
  CHECK(reads(segment(kv_index())) == Reads{.along_columns = 1});
  CHECK(reads(segment(q_index())) == Reads{});  // adds the same to all scores of a row
  CHECK(reads(segment(q_index()) * key_input("weight") + segment(kv_index()) * far(20) + tile) ==
        Reads{.along_rows = 1, .along_columns = 1, .along_diagonals = 1, .in_runs = 1});
}

namespace codegen {

TEST_CASE("what a bias has of queries or of keys alone is computed for these") {
  AttentionConfig config = backward(bias::alibi());
  config.causal = true;
  const BackwardProgram causal = lower_backward(config);
  CHECK(is_zero(causal.bias.score));
  CHECK(to_string(causal.bias.key) == "-head_scalar(slopes) * -1.0 * (kv_index() - kv_origin)");
  CHECK(causal.terms.front().lowering == Lowering::key_column);
  const BackwardProgram bidirectional = lower_backward(backward(bias::alibi()));
  CHECK(is_zero(bidirectional.bias.query));
  CHECK(is_zero(bidirectional.bias.key));
  CHECK(bidirectional.terms.front().lowering == Lowering::registers);
  const BackwardProgram both = lower_backward(
      backward(bias::query_input("a") + bias::key_input("b") + bias::query_input("c") * bias::key_input("d")));
  CHECK(to_string(both.bias.query) == "query_input(a)");
  CHECK(to_string(both.bias.key) == "key_input(b)");
  CHECK(to_string(both.bias.score) == "query_input(c) * key_input(d)");
}

TEST_CASE("what is constant on diagonals and takes some instructions is computed once for each") {
  const BackwardProgram buckets = lower_backward(backward(bias::t5_relative_position()));
  CHECK(is_zero(buckets.bias.score));
  CHECK_FALSE(is_zero(buckets.bias.diagonal));
  CHECK(buckets.terms.front().lowering == Lowering::diagonal);
  const BackwardProgram both = lower_backward(backward(bias::relative_position(16) + bias::alibi()));
  CHECK(is_zero(both.bias.score));
  CHECK(both.terms.back().lowering == Lowering::diagonal);  // not worth it alone
  const BackwardProgram others = lower_backward(backward(bias::window_relative_position(8, 8)));
  CHECK(is_zero(others.bias.diagonal));
  CHECK_FALSE(is_zero(others.bias.score));
}

TEST_CASE("what is the same for all keys of a query has no gradient") {
  const Expr bias = bias::query_input("shift") + bias::key_input("height") * bias::head_scalar("gain");
  const BackwardProgram program = lower_backward(backward(bias));
  std::string text;
  for (const InputGradient& gradient : program.gradients)
    text += gradient.input.name + ": " + to_string(gradient.components.front()) + "\n";
  CHECK(text == "gain: key_input(height)\nheight: head_scalar(gain)\nshift: none()\n");
}

TEST_CASE("products of whole inputs run on the tensor cores, unless something else reads these") {
  const BackwardProgram alone = lower_backward(backward(bias::low_rank(40) + bias::alibi()));
  REQUIRE(alone.factors.size() == 1);
  CHECK(alone.factors.front().rank == 40);
  CHECK(alone.gradients.size() == 1);
  const Expr both = bias::low_rank(8) + bias::query_input("q_factors", 8, std::nullopt)[0] * bias::key_input("height");
  const BackwardProgram shared = lower_backward(backward(both));
  CHECK(shared.factors.empty());
  CHECK(shared.gradients.size() == 3);
}

}  // namespace codegen
}  // namespace flashbias
