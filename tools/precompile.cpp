#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Error.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "flashbias/error.hpp"
#include "flashbias/pack.hpp"
#include "tools/compile_all.hpp"
#include "tools/flag_checks.hpp"
#include "tools/manifest.hpp"
#include "tools/output.hpp"
#include "tools/pack_files.hpp"
#include "tools/progress.hpp"
#include "tools/standard_streams.hpp"
#include "tools/verbs.hpp"

namespace flashbias::tools {
namespace {

struct PrecompileOptions {
  std::string manifest;
  std::vector<std::string> configs;
  std::vector<std::string> archs;
  std::string cache;
  std::string pack;
  bool add = false;
  int threads = 0;
  bool dry_run = false;
  bool json = false;

  void check() const {
    if (manifest.empty() && configs.empty()) throw CLI::RequiredError("--manifest or --config");
    if (add && pack.empty()) throw CLI::RequiresError("--add", "--pack");
  }
};

/// One kernel of the manifest for one architecture.
struct Target {
  std::string name;
  AttentionConfig config;

  [[nodiscard]] std::string label() const { return fmt::format("{} ({})", name, to_string(config.arch)); }
};

std::vector<Target> targets(const PrecompileOptions& options) {
  std::vector<Arch> archs;
  for (const auto& arch : options.archs) archs.push_back(real_arch(arch));
  std::vector<Target> targets;
  const auto add = [&](const std::string& name, AttentionConfig config) {
    if (!config.arch.is_current_device()) {
      if (!archs.empty() && std::ranges::count(archs, config.arch) == 0) {
        throw Error(ErrorCode::invalid_config,
                    fmt::format("{}: its arch={} is not among those of --arch; add it there, or "
                                "leave it out of the config",
                                name, to_string(config.arch)));
      }
      return targets.push_back({.name = name, .config = std::move(config)});
    }
    if (archs.empty()) throw Error(ErrorCode::invalid_config, "pass --arch, such as --arch sm_80,sm_90a");
    for (const Arch arch : archs) {
      config.arch = arch;
      targets.push_back({.name = name, .config = config});
    }
  };
  if (!options.manifest.empty()) {
    for (auto& entry : read_manifest(options.manifest)) add(entry.name, std::move(entry.config));
  }
  for (const auto& text : options.configs) add(text, parse_config(text));
  return targets;
}

/// The environment's cache, or that of --cache; packs are what is made here, not where it is from.
jit::Options precompile_options(const PrecompileOptions& options) {
  jit::Options cache = cache_options(options.cache);
  cache.packs.clear();
  cache.compile = jit::Compile::when_missing;
  cache.cache_dir = required_cache_directory(options.cache);
  return cache;
}

void print_outcomes(const std::vector<Target>& targets, const std::vector<CompileOutcome>& outcomes) {
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (!outcomes[i].kernel) continue;
    fmt::print("{}  {:>7}  {}\n", short_key(outcomes[i].kernel->key), compile_time_text(*outcomes[i].kernel),
               targets[i].label());
    fmt::print("              {}\n", to_string(outcomes[i].kernel->plan.config));
  }
}

void print_outcomes_json(const std::vector<Target>& targets, const std::vector<CompileOutcome>& outcomes) {
  auto kernels = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < targets.size(); ++i) {
    nlohmann::ordered_json kernel{{"name", targets[i].name}};
    if (outcomes[i].kernel) {
      kernel.update(tools::to_json(*outcomes[i].kernel));
    } else {
      kernel.update({{"config", to_string(targets[i].config)}, {"error", outcomes[i].error}});
    }
    kernels.push_back(std::move(kernel));
  }
  print_json({{"kernels", std::move(kernels)}});
}

/// Each failure at the end, where it is seen.
void report_failures(const std::vector<Target>& targets, const std::vector<CompileOutcome>& outcomes) {
  int failures = 0;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (outcomes[i].kernel) continue;
    ++failures;
    complain(fmt::format("error: {}: {}", targets[i].label(), outcomes[i].error));
  }
  if (failures == 0) return;
  complain(fmt::format("error: {} of {} kernels failed", failures, targets.size()));
  throw CLI::RuntimeError(1);
}

/// A kernel that was compiled and cannot be kept was compiled for nothing.
void fail_what_is_not_kept(std::vector<CompileOutcome>& outcomes) {
  for (auto& outcome : outcomes) {
    if (!outcome.kernel || outcome.kernel->cache_problem.empty()) continue;
    outcome.error = outcome.kernel->cache_problem;
    outcome.kernel.reset();
  }
}

/// A bad one that --add would keep is told before the work.
void check_earlier_pack(const PrecompileOptions& options) {
  if (options.add && std::filesystem::exists(options.pack)) (void)cache::Pack(options.pack);
}

void write_pack(const PrecompileOptions& options, const std::filesystem::path& cache,
                const std::vector<CompileOutcome>& outcomes) {
  const cache::DiskStore store(cache);
  cache::PackWriter writer;
  for (const auto& outcome : outcomes) {
    const auto entry = store.load(outcome.kernel->key, /*with_source=*/true);
    if (!entry) throw Error(ErrorCode::cache, fmt::format("{} is gone from {}", outcome.kernel->key, cache.string()));
    writer.add(*entry);
  }
  if (options.add)
    writer.write_with_earlier(options.pack);
  else
    writer.write(options.pack);
  const auto bytes = static_cast<std::int64_t>(std::filesystem::file_size(options.pack));
  std::fputs(fmt::format("wrote {} with {}, {}\n", options.pack, count_text(writer.size(), "kernel"), bytes_text(bytes))
                 .c_str(),
             stderr);
}

/// What would be done with each kernel, and what was found instead of those that would be compiled.
void print_dry_run(const PrecompileOptions& options, const std::vector<Target>& targets, jit::KernelCache& cache) {
  auto kernels = nlohmann::ordered_json::array();
  std::set<std::string> known;
  std::set<std::string> missing;
  for (const auto& target : targets) {
    const auto lookup = cache.find(target.config);
    const bool is_missing = *lookup.origin == jit::Origin::compiled;
    known.insert(lookup.key);
    if (is_missing) missing.insert(lookup.key);
    kernels.push_back({{"name", target.name}, {"config", lookup.config}, {"key", lookup.key}, {"cached", !is_missing}});
    if (!options.json) {
      fmt::print("{}  {:>7}  {}\n", short_key(lookup.key), is_missing ? "compile" : "cached", target.label());
      fmt::print("              {}\n", lookup.config);
    }
  }
  if (options.json) return print_json({{"kernels", std::move(kernels)}});
  fmt::print("would compile {} of {} into {}", missing.size(), count_text(known.size(), "kernel"),
             cache.options().cache_dir->string());
  fmt::print("{}\n", options.pack.empty()
                         ? ""
                         : fmt::format(" and {} {}", options.add ? "add them to" : "write", options.pack));
}

void precompile(const PrecompileOptions& options) {
  options.check();
  const auto wanted = targets(options);
  jit::KernelCache cache(precompile_options(options));
  if (!options.pack.empty()) check_pack_path(options.pack);
  check_earlier_pack(options);
  if (options.dry_run) return print_dry_run(options, wanted, cache);
  cache::DiskStore(*cache.options().cache_dir).create_directory();
  std::vector<AttentionConfig> configs;
  for (const auto& target : wanted) configs.push_back(target.config);
  std::vector<CompileOutcome> outcomes;
  {
    Progress progress("compiling", wanted.size());
    outcomes = compile_all(configs, cache, options.threads,
                           [&](std::size_t i, const CompileOutcome&) { progress.advance(wanted[i].label()); });
  }
  fail_what_is_not_kept(outcomes);
  if (options.json) {
    print_outcomes_json(wanted, outcomes);
  } else {
    print_outcomes(wanted, outcomes);
  }
  report_failures(wanted, outcomes);
  if (!options.pack.empty()) write_pack(options, *cache.options().cache_dir, outcomes);
}

}  // namespace

void add_precompile(CLI::App& app) {
  auto* verb =
      app.add_subcommand("precompile", "Compile the kernels of a manifest into the cache or a pack; needs no GPU");
  auto options = std::make_shared<PrecompileOptions>();
  verb->add_option("--manifest", options->manifest, "file of configs, JSON or TOML, see docs/manifest.md")
      ->check(not_empty());
  verb->add_option("--config", options->configs, "a config as text, beside or in place of a manifest")
      ->check(not_empty());
  verb->add_option("--arch", options->archs, "architectures, such as sm_80,sm_90a")->delimiter(',')->check(not_empty());
  verb->add_option("--cache", options->cache, "directory in place of the default cache")->check(not_empty());
  verb->add_option("--pack", options->pack, "also write all of them to this file, see docs/cache.md")
      ->check(not_empty());
  verb->add_flag("--add", options->add, "with --pack: keep what else the file holds");
  verb->add_flag("-n,--dry-run", options->dry_run, "only say what would be compiled");
  constexpr int kMostJobs = 1024;
  verb->add_option("-j,--jobs", options->threads, "kernels compiled at a time; by default what keeps all cores busy")
      ->check(whole_number(1, kMostJobs));
  verb->add_flag("--json", options->json, "for programs");
  verb->callback([options] { precompile(*options); });
}

}  // namespace flashbias::tools
