#include "tools/tuning_search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "flashbias/error.hpp"
#include "tools/compile_all.hpp"
#include "tools/run_attention.hpp"

namespace flashbias::tools {
namespace {

double predicted_cost(const KernelPlan& plan) {
  double cost = 0;
  for (const TermPlan& term : plan.terms)
    for (const Alternative& alternative : term.alternatives)
      if (alternative.lowering == term.lowering) cost += alternative.cost;
  return cost;
}

TuningCandidate candidate(const AttentionConfig& config) {
  return {.config = config, .predicted = predicted_cost(plan(config)), .problem = {}};
}

/// The planner's choice, then every other lowering that some term can take.
std::vector<TuningCandidate> lowerings_of(const AttentionConfig& config) {
  const KernelPlan chosen = plan(config);
  std::vector<TuningCandidate> candidates{candidate(config)};
  std::vector<Lowering> seen;
  for (const TermPlan& term : chosen.terms)
    for (const Alternative& alternative : term.alternatives) {
      if (alternative.lowering == term.lowering || !alternative.obstacle.empty()) continue;
      if (std::ranges::find(seen, alternative.lowering) != seen.end()) continue;
      seen.push_back(alternative.lowering);
      AttentionConfig forced = config;
      forced.lowering = alternative.lowering;
      candidates.push_back(candidate(forced));
    }
  return candidates;
}

/// Other tiles for a config, where they fit.
std::vector<TuningCandidate> tiles_of(const AttentionConfig& config) {
  std::vector<TuningCandidate> candidates;
  for (const int block_q : {64, 128})
    for (const int block_k : {32, 64, 128})
      for (const int blocks : {2, 3, 4}) {
        AttentionConfig forced = config;
        forced.tile = TileShape{.block_q = block_q,
                                .block_k = block_k,
                                .warps = 4,
                                .blocks_per_multiprocessor = blocks,
                                .query_in_registers = config.head_dim <= 64};
        try {
          candidates.push_back(candidate(forced));
        } catch (const Error&) {  // NOLINT(bugprone-empty-catch): it does not fit shared memory
        }
      }
  return candidates;
}

void compile_ahead(const std::vector<TuningCandidate>& candidates, jit::KernelCache& cache) {
  std::vector<AttentionConfig> configs;
  for (const TuningCandidate& each : candidates) configs.push_back(each.config);
  compile_all(configs, cache, 0, [](std::size_t, const CompileOutcome&) {});
}

void measure(TuningCandidate& candidate, const AttentionProblem& problem, jit::KernelCache& cache) {
  try {
    const Kernel kernel = cache.get(candidate.config);
    const float scale = 1 / std::sqrt(static_cast<float>(candidate.config.head_dim));
    const AttentionRun run = run_attention(kernel, problem, scale);
    const AttentionCheck check = check_attention(kernel.plan().config, problem, scale, run);
    candidate.milliseconds = run.milliseconds;
    candidate.error_ratio = check.out.ratio();
    candidate.passed = check.passed();
    if (!candidate.passed) candidate.problem = "beyond the accepted error";
  } catch (const Error& error) {
    candidate.problem = error.what();
  }
}

}  // namespace

const TuningCandidate& Tuning::best() const {
  const auto time = [](const TuningCandidate& c) { return c.passed ? c.milliseconds : HUGE_VAL; };
  return *std::ranges::min_element(candidates, {}, time);
}

Tuning tune(const std::string& name, const AttentionConfig& config, const Shape& shape, bool lowerings_only,
            jit::KernelCache& cache) {
  Tuning tuning{.name = name, .shape = shape, .candidates = lowerings_of(config)};
  const AttentionProblem problem = random_problem(plan(config), shape, /*seed=*/0);
  const auto run_all = [&](std::vector<TuningCandidate>& candidates) {
    compile_ahead(candidates, cache);
    for (TuningCandidate& each : candidates) measure(each, problem, cache);
  };
  run_all(tuning.candidates);
  if (lowerings_only || !tuning.best().passed) return tuning;
  std::vector<TuningCandidate> tiles = tiles_of(tuning.best().config);
  run_all(tiles);
  tuning.candidates.insert(tuning.candidates.end(), tiles.begin(), tiles.end());
  return tuning;
}

std::string shape_text(const Shape& shape) {
  return fmt::format("B={} H={} N={}x{}", shape.batch, shape.heads, shape.seqlen_q, shape.seqlen_k);
}

}  // namespace flashbias::tools
