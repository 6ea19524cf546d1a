#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Error.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "flashbias/error.hpp"
#include "flashbias/jit.hpp"
#include "flashbias/tuning.hpp"
#include "tools/config_flags.hpp"
#include "tools/output.hpp"
#include "tools/shape_flags.hpp"
#include "tools/standard_streams.hpp"
#include "tools/tuning_search.hpp"
#include "tools/verbs.hpp"

namespace flashbias::tools {
namespace {

struct TuneOptions {
  ConfigFlags config;
  ShapeFlags shape;
  std::string manifest;
  std::vector<const CLI::Option*> of_one_kernel;  ///< flags that a manifest takes the place of
  bool lowerings_only = false;
  bool keep = false;
  bool json = false;
};

std::string lowering_text(const KernelPlan& plan) {
  std::string text;
  for (const TermPlan& term : plan.terms)
    if (term.lowering != Lowering::dropped) text += (text.empty() ? "" : " + ") + std::string(to_string(term.lowering));
  return text.empty() ? "none" : text;
}

std::string tile_text(const Tile& tile) {
  return to_string(
      TileShape{tile.block_q, tile.block_k, tile.warps, tile.blocks_per_multiprocessor, tile.query_in_registers});
}

void print(const Tuning& tuning) {
  fmt::print("{}, {}\n", tuning.name, shape_text(tuning.shape));
  fmt::print("  {:<24} {:<16} {:>9} {:>9} {:>6}\n", "lowering", "tile", "predicted", "ms", "error");
  for (const TuningCandidate& each : tuning.candidates) {
    const KernelPlan plan = flashbias::plan(each.config);
    fmt::print("{} {:<24} {:<16} {:>9.1f} {:>9.4f} {:>6.2f} {}\n", tuning.is_best(each) ? '*' : ' ',
               lowering_text(plan), tile_text(plan.tile), each.predicted, each.milliseconds, each.error_ratio,
               each.problem);
  }
  const TuningCandidate& chosen = tuning.candidates.front();
  if (!chosen.passed) {
    fmt::print("  the planner's choice, the first row, did not pass\n");
    return;
  }
  fmt::print("  the planner's choice, the first row, takes {:.2f} times the best\n",
             chosen.milliseconds / tuning.best().milliseconds);
}

nlohmann::ordered_json to_json(const Tuning& tuning) {
  nlohmann::ordered_json json{{"name", tuning.name}, {"shape", shape_text(tuning.shape)}};
  for (const TuningCandidate& each : tuning.candidates) {
    const KernelPlan plan = flashbias::plan(each.config);
    auto& row = json["candidates"].emplace_back(nlohmann::ordered_json{{"config", to_string(each.config)},
                                                                       {"lowering", lowering_text(plan)},
                                                                       {"tile", tile_text(plan.tile)},
                                                                       {"predicted", each.predicted},
                                                                       {"milliseconds", each.milliseconds},
                                                                       {"error_ratio", each.error_ratio},
                                                                       {"best", tuning.is_best(each)}});
    if (!each.problem.empty()) row["problem"] = each.problem;
  }
  return json;
}

void keep(const AttentionConfig& config, const Tuning& tuning, const jit::KernelCache& cache) {
  const auto& cache_dir = cache.options().cache_dir;
  if (!cache_dir) throw Error(ErrorCode::cache, "there is no cache directory to keep the winner in");
  const TuningCandidate& best = tuning.best();
  tuning::remember(config,
                   {.lowering = best.config.lowering,
                    .tile = best.config.tile,
                    .milliseconds = best.milliseconds,
                    .shape = shape_text(tuning.shape),
                    .device = to_string(config.arch)},
                   *cache_dir);
}

void require_forward(const ManifestEntry& entry) {
  if (entry.config.direction == Direction::forward) return;
  throw Error(ErrorCode::invalid_config,
              fmt::format("{}: there is nothing to tune with direction=backward, which has one lowering and one tile; "
                          "`flashbias run` times it",
                          entry.name));
}

/// The kernels of the manifest that have a shape.
std::vector<ManifestEntry> manifest_entries(const TuneOptions& options) {
  for (const CLI::Option* flag : options.of_one_kernel) {
    if (flag->count() == 0) continue;
    throw Error(
        ErrorCode::invalid_config,
        fmt::format("{} beside --manifest {}: its kernels have configs and shapes of their own, and are tuned for "
                    "this machine's GPU; leave {} out",
                    flag->get_name(), options.manifest, flag->get_name()));
  }
  std::vector<ManifestEntry> entries = read_manifest(options.manifest);
  std::erase_if(entries, [](const ManifestEntry& entry) { return !entry.shape; });
  if (!entries.empty()) return entries;
  throw Error(ErrorCode::invalid_config,
              fmt::format("the manifest {} has no kernel with a shape to tune it at; add one, such as \"shape\": "
                          "{{\"batch\": 1, \"heads\": 8, \"seqlen_q\": 1024}}",
                          options.manifest));
}

/// A config that names another GPU than this machine's cannot be measured.
void settle_arch(AttentionConfig& config) {
  const Arch arch = jit::current_arch();
  if (!config.arch.is_current_device() && config.arch != arch) {
    throw Error(ErrorCode::unsupported_device,
                fmt::format("the config is for {}, but this machine's GPU is {}, and tuning measures on it; leave the "
                            "arch out",
                            to_string(config.arch), to_string(arch)));
  }
  config.arch = arch;
}

/// What earlier runs kept would be measured in place of the planner's choice.
jit::Options untuned() {
  jit::Options options = jit::Options::from_environment();
  options.tuned = false;
  return options;
}

void tune_all(const TuneOptions& options) {
  std::vector<ManifestEntry> entries;
  if (options.manifest.empty()) {
    const AttentionConfig config = options.config.config();
    entries.push_back({to_string(config.bias), config, options.shape.shape(), {}});
  } else {
    entries = manifest_entries(options);
  }
  std::ranges::for_each(entries, require_forward);
  jit::KernelCache cache(untuned());
  bool all_passed = true;
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (ManifestEntry& entry : entries) {
    settle_arch(entry.config);
    const Tuning tuning = tune(entry.name, entry.config, *entry.shape, options.lowerings_only, cache);
    if (options.json)
      json.push_back(to_json(tuning));
    else
      print(tuning);
    if (options.keep && tuning.best().passed) keep(entry.config, tuning, cache);
    if (tuning.best().passed) continue;
    complain(fmt::format("error: {}: nothing that was measured passed", entry.name));
    all_passed = false;
  }
  if (options.json) print_json(json);
  if (!all_passed) throw CLI::RuntimeError(1);
}

}  // namespace

void add_tune(CLI::App& app) {
  auto* verb = app.add_subcommand("tune", "Measure the lowerings and tiles that serve a config, on the GPU");
  auto options = std::make_shared<TuneOptions>();
  const auto first = verb->get_options().size();
  options->config.add_to(*verb);
  options->shape.add_to(*verb, "Sizes");
  options->of_one_kernel = std::as_const(*verb).get_options();
  options->of_one_kernel.erase(options->of_one_kernel.begin(),
                               options->of_one_kernel.begin() + static_cast<std::ptrdiff_t>(first));  // --help
  verb->add_option("--manifest", options->manifest, "tune each kernel that has a shape there")->type_name("FILE");
  verb->add_flag("--lowerings", options->lowerings_only, "measure lowerings alone, not tiles");
  verb->add_flag("--keep", options->keep, "keep the winner in the cache directory: later kernels of the config use it");
  verb->add_flag("--json", options->json, "for programs");
  verb->callback([options] { tune_all(*options); });
}

}  // namespace flashbias::tools
