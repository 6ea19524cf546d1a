#include "codegen/backward_planner.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "codegen/backward_bias_emitter.hpp"
#include "codegen/backward_program.hpp"
#include "codegen/backward_tiles.hpp"
#include "codegen/column_shares.hpp"
#include "codegen/gradients.hpp"
#include "codegen/inputs.hpp"
#include "codegen/main_loop.hpp"
#include "codegen/parameters.hpp"
#include "codegen/ranges.hpp"
#include "codegen/shared_layout.hpp"
#include "codegen/tiles.hpp"
#include "flashbias/error.hpp"

namespace flashbias::codegen {
namespace {

/// Columns of gradients that a warp can hold for its 16 rows, beside the scores.
constexpr int kMaxColumnsHeld = 256;

/// Of the main loop for Hopper, which keeps the gradients of two operands, and the scores of 64 columns with their
/// gradients, in the registers of a warpgroup.
constexpr int kMaxHopperHeadDim = 128;
constexpr int kMaxStages = 3;
constexpr int kHopperSpills = 48;  // of the warps that fetch and publish, to whom 24 registers are left
constexpr int kHopperSpillsOfManyColumns = 288;
constexpr int kFewHopperColumns = 128;

/// Numbers of a thread up to which ptxas has no product wait for another where warpgroups share out tiles of queries
/// (CUDA 13.0: at 120 it does) ...
constexpr int kRegistersByTiles = 112;
/// ... or columns (from 152 on where shares of d_q take the registers of scores). Two passes were as fast at 152 on an
/// H100.
constexpr int kRegistersByColumns = 144;

/// Columns of sums, and twice those of factors, beside which left operands stay in registers without spills.
constexpr int kColumnsBesideRows = 128;
constexpr int kColumnsBesideGradients = 160;

/// Shares the gradients of a side out among passes, each of which holds what it can.
class PassPacker {
 public:
  PassPacker(bool owns_keys, std::vector<BackwardPass>& passes) : owns_keys_(owns_keys), passes_(passes) {}

  void add(bool BackwardPass::*gradient, int columns) {
    if (left_ < columns || !has_pass_) {
      passes_.push_back({.owns_keys = owns_keys_});
      has_pass_ = true;
      left_ = kMaxColumnsHeld;
    }
    passes_.back().*gradient = true;
    left_ -= columns;
  }

 private:
  bool owns_keys_;
  std::vector<BackwardPass>& passes_;
  bool has_pass_ = false;
  int left_ = 0;
};

std::vector<BackwardPass> passes_of(const AttentionConfig& config, const BackwardBias& bias) {
  const GradientNames names = gradient_names(config);
  int ranks = 0;
  for (const FactorTerm& factors : bias.factor_terms()) ranks += factors.rank;
  const auto any_input = [&](bool of_keys) {
    return std::ranges::any_of(names.inputs,
                               [&](const InputSpec& input) { return (input.kind == Op::key_input) == of_keys; });
  };
  std::vector<BackwardPass> passes;
  PassPacker of_keys(true, passes);
  if (any_input(true)) of_keys.add(&BackwardPass::writes_inputs, ranks);
  if (names.k) of_keys.add(&BackwardPass::writes_operand, config.head_dim);
  if (names.v) of_keys.add(&BackwardPass::writes_values, config.head_dim_v);
  PassPacker of_queries(false, passes);
  if (any_input(false)) of_queries.add(&BackwardPass::writes_inputs, ranks);
  if (names.q) of_queries.add(&BackwardPass::writes_operand, config.head_dim);
  return passes;
}

/// Numbers that a thread keeps over a pass of keys that adds to queries, beyond those that all such passes have: sums
/// of the keys' gradients, and shares of the queries' gradients; halves of those of q may take the registers of scores.
int registers_of_sums(const AttentionConfig& config, const std::vector<FactorTerm>& factors, bool by_tiles) {
  constexpr int kColumnsOfScores = 64;
  const ColumnShares shares = hopper_shares(by_tiles);
  const int share = shares.columns_of_share(config.head_dim);
  int columns = config.head_dim + config.head_dim_v;
  if (by_tiles || share < kColumnsOfScores) columns += share;
  for (const FactorTerm& term : factors) {
    if (wants_gradient(config, term.k_input)) columns += term.rank;
    if (wants_gradient(config, term.q_input)) columns += shares.columns_of_share(term.rank);
  }
  return columns / 2;
}

/// Whether one product can have columns of k and of its factors, and another those of q and of its: where the former
/// fill strips of shared memory, and the gradients of all are asked for.
bool can_join_factors(const AttentionConfig& config, const GradientNames& names,
                      const std::vector<FactorTerm>& factors) {
  return factors.size() == 1 && config.head_dim == swizzled_columns(config.head_dim) && names.k &&
         wants_gradient(config, factors.front().q_input) && wants_gradient(config, factors.front().k_input);
}

/// The gradients of keys and queries in one pass, which finds probabilities once: nothing where inputs of the bias need
/// sums over the keys of each query that it does not make, or where the order of sums has to be the same each time.
std::optional<BackwardPass> shared_pass(const KernelPlan& plan, const BackwardBias& bias) {
  const GradientNames names = gradient_names(plan.config);
  if (plan.config.deterministic || !names.q) return std::nullopt;
  for (const InputSpec& input : names.inputs)
    if (input.kind != Op::key_input &&
        std::ranges::find(bias.factor_terms(), input.name, &FactorTerm::q_input) == bias.factor_terms().end())
      return std::nullopt;
  BackwardPass pass{.adds_to_queries = true};
  for (const BackwardPass& other : plan.passes) {
    if (!other.owns_keys) continue;
    pass.owns_keys = true;
    pass.writes_operand |= other.writes_operand;
    pass.writes_values |= other.writes_values;
    pass.writes_inputs |= other.writes_inputs;
  }
  if (!pass.owns_keys) return std::nullopt;
  return pass;
}

/// That in the loop for Hopper: nothing where registers do not hold all sums.
std::optional<BackwardPass> shared_hopper_pass(const KernelPlan& plan, const BackwardBias& bias) {
  std::optional<BackwardPass> pass = shared_pass(plan, bias);
  if (!pass) return std::nullopt;
  const auto registers = [&](bool by_tiles) { return registers_of_sums(plan.config, bias.factor_terms(), by_tiles); };
  pass->adds_by_tiles = registers(true) <= kRegistersByTiles;
  pass->joins_factors =
      pass->adds_by_tiles && can_join_factors(plan.config, gradient_names(plan.config), bias.factor_terms());
  if (!pass->adds_by_tiles && registers(false) > kRegistersByColumns) return std::nullopt;
  return pass;
}

/// As many stages as shared memory holds.
std::optional<Tile> hopper_tile_of(const AttentionConfig& config, const BackwardBias& bias, const BackwardPass& pass) {
  Tile tile{.block_q = 64,
            .block_k = 64,
            .warps = 8,
            .allowed_spill_bytes =
                config.head_dim + config.head_dim_v > kFewHopperColumns ? kHopperSpillsOfManyColumns : kHopperSpills,
            .reason = "each of two warpgroups keeps the gradients of 64 rows in registers",
            .columns_at_once = 64};
  for (tile.stages = kMaxStages; tile.stages >= 2; --tile.stages)
    if (hopper_backward_shared_bytes(config, tile, bias, pass) <= shared_bytes_limit(config.arch)) return tile;
  return std::nullopt;
}

bool any_adds_to_queries(const std::vector<BackwardPass>& passes) {
  return std::ranges::any_of(passes, &BackwardPass::adds_to_queries);
}

/// Of a plan that had these passes.
std::vector<const InputSpec*> summed_inputs(const KernelPlan& plan, const std::vector<BackwardPass>& passes) {
  const std::vector<FactorTerm>& factors = plan.backward_program->factors;
  std::vector<const InputSpec*> inputs;
  for (const InputSpec& input : plan.input_gradients)
    if (any_adds_to_queries(passes) ? std::ranges::find(factors, input.name, &FactorTerm::q_input) != factors.end()
                                    : has_exact_sums(plan))
      inputs.push_back(&input);
  return inputs;
}

/// Of a launch of these passes; in the loop for Hopper it has descriptors of operands and factors.
BackwardParameters parameters_of(const KernelPlan& plan, const std::vector<BackwardPass>& passes, bool is_hopper) {
  const std::size_t factors = plan.backward_program->factors.size();
  return {.tensor_maps = is_hopper ? kBackwardTensorMaps + kTensorMapsOfFactors * factors : 0,
          .tensors_of_bias = plan.inputs.size() + plan.input_gradients.size(),
          .sums_of_inputs = summed_inputs(plan, passes).size()};
}

/// Why the main loop is the portable one; nothing where it is that for Hopper, with these passes.
std::optional<std::string> why_portable_backward(const KernelPlan& plan, const BackwardBias& bias,
                                                 const std::vector<BackwardPass>& passes) {
  const AttentionConfig& config = plan.config;
  if (config.main_loop == MainLoop::portable) return "the one that the config asks for";
  if (config.arch.compute_capability != 90) return "the one for " + to_string(config.arch);
  if (std::max(config.head_dim, config.head_dim_v) > kMaxHopperHeadDim)
    return "in the one for Hopper the gradients of head dimensions above " + std::to_string(kMaxHopperHeadDim) +
           " do not fit registers";
  for (const FactorTerm& factors : bias.factor_terms())
    if (auto reason = why_portable(factors, config.dtype)) return reason;
  if (size_in_bytes(parameters_of(plan, passes, /*is_hopper=*/true)) > kMaxParameterBytes)
    return "the descriptors that the copy engine of Hopper needs do not fit into a launch with that many inputs";
  return std::nullopt;
}

void choose_portable_loop(KernelPlan& plan, const BackwardBias& bias) {
  const std::optional<BackwardPass> pass = shared_pass(plan, bias);
  const std::optional<Tile> shared_tile = pass ? tile_of_shared_pass(plan.config, bias) : std::nullopt;
  if (shared_tile) plan.passes = {*pass};
  plan.tile = shared_tile ? *shared_tile : tile_of_passes(plan.config, bias);
  plan.shared_bytes = backward_shared_bytes(plan.config, plan.tile, bias, shared_tile.has_value());
}

void choose_main_loop(KernelPlan& plan, const BackwardBias& bias) {
  std::vector<BackwardPass> passes = plan.passes;
  if (const std::optional<BackwardPass> pass = shared_hopper_pass(plan, bias);
      pass && hopper_tile_of(plan.config, bias, *pass))
    passes = {*pass};
  const std::optional<std::string> obstacle = why_portable_backward(plan, bias, passes);
  const std::optional<Tile> tile = obstacle ? std::nullopt : hopper_tile_of(plan.config, bias, passes.front());
  if (!tile) {
    plan.main_loop_reason = obstacle.value_or("in the one for Hopper the bias does not fit shared memory");
    choose_portable_loop(plan, bias);
    return;
  }
  plan.main_loop = MainLoop::hopper;
  plan.main_loop_reason = "wgmma fed by the copy engine";
  plan.passes = std::move(passes);
  plan.tile = *tile;
  plan.shared_bytes = hopper_backward_shared_bytes(plan.config, plan.tile, bias, plan.passes.front());
  for (const FactorTerm& factors : bias.factor_terms())
    plan.fetched_factors.push_back(
        {factors.q_input, factors.k_input, joins_factors(plan) ? plan.config.head_dim : factors.rank});
}

void require_parameters_fit(const KernelPlan& plan) {
  const BackwardParameters parameters = parameters_of(plan, plan.passes, plan.main_loop == MainLoop::hopper);
  const std::size_t bytes = size_in_bytes(parameters);
  if (bytes <= kMaxParameterBytes) return;
  BackwardParameters without_sums = parameters;
  without_sums.sums_of_inputs = 0;
  const bool sums_are_too_many = has_exact_sums(plan) && size_in_bytes(without_sums) <= kMaxParameterBytes;
  throw Error(
      ErrorCode::invalid_config,
      "gradients: the bias has " + std::to_string(plan.inputs.size()) + " inputs, and " +
          std::to_string(plan.input_gradients.size()) + " of their gradients are asked for: their launch takes " +
          std::to_string(bytes) + " bytes of parameters, and at most " + std::to_string(kMaxParameterBytes) +
          " fit; name the gradients that you need" + (sums_are_too_many ? ", or leave out deterministic=true" : ""));
}

}  // namespace

bool adds_to_queries(const KernelPlan& plan) { return any_adds_to_queries(plan.passes); }

bool joins_factors(const KernelPlan& plan) { return std::ranges::any_of(plan.passes, &BackwardPass::joins_factors); }

bool adds_by_tiles(const KernelPlan& plan) { return std::ranges::any_of(plan.passes, &BackwardPass::adds_by_tiles); }

int rows_owned(const KernelPlan& plan) {
  return plan.main_loop == MainLoop::hopper ? 16 * plan.tile.warps : plan.tile.block_k;
}

KeptInRegisters kept_in_registers(const KernelPlan& plan) {
  const auto whole_steps = [](int columns) { return (columns + 15) / 16 * 16; };
  const int of_sums = whole_steps(plan.config.head_dim) + whole_steps(plan.config.head_dim_v);
  int of_factors = 0;
  for (const FactorTerm& term : plan.backward_program->factors) of_factors += swizzled_columns(term.rank);
  return {.rows = of_sums <= kColumnsBesideRows && of_factors == 0,
          .gradients = of_sums + 2 * of_factors <= kColumnsBesideGradients};
}

bool has_exact_sums(const KernelPlan& plan) { return plan.config.deterministic && !plan.input_gradients.empty(); }

std::vector<const InputSpec*> summed_inputs(const KernelPlan& plan) { return summed_inputs(plan, plan.passes); }

int workspace_columns(const KernelPlan& plan) {
  constexpr int kStatistics = 2;
  if (!adds_to_queries(plan)) return kStatistics;
  const ColumnShares shares = column_shares(plan);
  int columns = kStatistics + shares.columns_of_sums(plan.config.head_dim);
  for (const InputSpec* input : summed_inputs(plan)) columns += shares.columns_of_sums(input->dims);
  return columns;
}

void plan_backward(KernelPlan& plan) {
  AttentionConfig& config = plan.config;
  config.log_sum_exp = true;
  plan.backward_program = std::make_shared<const BackwardProgram>(lower_backward(config));
  const BackwardProgram& program = *plan.backward_program;
  const BackwardBias bias(config, program);
  plan.terms = program.terms;
  plan.passes = passes_of(config, bias);
  plan.input_gradients = gradient_names(config).inputs;
  choose_main_loop(plan, bias);
  require_parameters_fit(plan);
}

}  // namespace flashbias::codegen
