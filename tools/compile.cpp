#include <fmt/format.h>

#include <CLI/App.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "flashbias/error.hpp"
#include "tools/compile_all.hpp"
#include "tools/config_flags.hpp"
#include "tools/flag_checks.hpp"
#include "tools/output.hpp"
#include "tools/verbs.hpp"

namespace flashbias::tools {
namespace {

struct CompileOptions {
  ConfigFlags config;
  std::string cache;
  bool json = false;
};

void print_kernel(const jit::CachedCubin& kernel) {
  const auto& resources = kernel.cubin.resources;
  fmt::print("config         {}\n", to_string(kernel.plan.config));
  fmt::print("key            {}\n", kernel.key);
  fmt::print("registers      {} a thread\n", resources.registers);
  fmt::print("shared memory  {} bytes a block\n", kernel.plan.shared_bytes + resources.static_shared_bytes);
  fmt::print("spills         {} bytes stored, {} loaded a thread\n", resources.spill_store_bytes,
             resources.spill_load_bytes);
  fmt::print("compile time   {}\n", compile_time_text(kernel));
}

void compile_config(const CompileOptions& options) {
  const auto kernel = jit::get_cubin(options.config.config(), cache_directory(options.cache));
  // Without --cache, to see what it uses is enough.
  if (!options.cache.empty() && !kernel.cache_problem.empty()) {
    throw Error(ErrorCode::cache,
                fmt::format("the kernel is not in --cache {}: {}", options.cache, kernel.cache_problem));
  }
  if (options.json) {
    print_json(tools::to_json(kernel));
  } else {
    print_kernel(kernel);
  }
}

}  // namespace

void add_compile(CLI::App& app) {
  auto* verb = app.add_subcommand("compile", "Compile the kernel of a config into the cache and print what it uses");
  auto options = std::make_shared<CompileOptions>();
  options->config.add_to(*verb);
  verb->add_option("--cache", options->cache, "directory in place of the default cache")->check(not_empty());
  verb->add_flag("--json", options->json, "for programs");
  verb->callback([options] { compile_config(*options); });
}

}  // namespace flashbias::tools
