#include "flashbias/cache.hpp"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Error.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/compile_all.hpp"
#include "tools/output.hpp"
#include "tools/verbs.hpp"

namespace flashbias::tools {
namespace {

using cache::DiskStore;

struct Options {
  std::string directory;
  bool json = false;

  [[nodiscard]] DiskStore store() const {
    return DiskStore(cache_directory(directory).value_or(DiskStore::default_directory()));
  }
};

nlohmann::ordered_json to_json(const std::vector<DiskStore::Status>& entries) {
  auto json = nlohmann::ordered_json::array();
  for (const auto& entry : entries) {
    nlohmann::ordered_json item{{"key", entry.key}, {"problem", entry.problem}};
    if (entry.manifest) item["manifest"] = nlohmann::ordered_json::parse(cache::to_json(*entry.manifest));
    json.push_back(std::move(item));
  }
  return json;
}

void print_entries(const DiskStore& store, const std::vector<DiskStore::Status>& entries) {
  Table table({"key", "cubin", "config"});
  for (const auto& entry : entries) {
    table.add({short_key(entry.key),
               entry.manifest ? bytes_text(static_cast<std::int64_t>(entry.manifest->cubin_bytes)) : "",
               entry.problem.empty() ? entry.manifest->config : entry.problem});
  }
  if (!entries.empty()) fmt::print("{}", table.text());
  fmt::print("{} kernels in {}\n", entries.size(), store.directory().string());
}

void show(const Options& options, const DiskStore& store, const std::vector<DiskStore::Status>& entries) {
  if (options.json) {
    print_json({{"directory", store.directory().string()}, {"entries", to_json(entries)}});
  } else {
    print_entries(store, entries);
  }
}

void list(const Options& options) {
  const auto store = options.store();
  show(options, store, store.list());
}

void verify(const Options& options) {
  const auto store = options.store();
  const auto entries = store.verify();
  show(options, store, entries);
  const auto bad = std::ranges::count_if(entries, [](const auto& entry) { return !entry.problem.empty(); });
  if (bad == 0) return;
  fmt::print(stderr, "flashbias: error: {} of {} entries are bad; each is rebuilt when it is next asked for\n", bad,
             entries.size());
  throw CLI::RuntimeError(1);
}

void clear(const Options& options) {
  const auto store = options.store();
  const auto removed = store.clear();
  if (options.json) {
    print_json({{"directory", store.directory().string()}, {"removed", removed}});
  } else {
    fmt::print("removed {} kernels from {}\n", removed, store.directory().string());
  }
}

}  // namespace

void add_cache(CLI::App& app) {
  auto* verb = app.add_subcommand("cache", "List, verify or clear the compiled kernels on disk");
  verb->require_subcommand(1);
  auto options = std::make_shared<Options>();
  const auto add = [&](const char* name, const char* help, void (*action)(const Options&)) {
    auto* part = verb->add_subcommand(name, help);
    part->add_option("--cache", options->directory, "directory in place of the default cache");
    part->add_flag("--json", options->json, "for programs");
    part->callback([options, action] { action(*options); });
  };
  add("list", "Every kernel with its config", list);
  add("verify", "Check every entry byte for byte; fails if one is bad", verify);
  add("clear", "Remove every kernel", clear);
}

}  // namespace flashbias::tools
