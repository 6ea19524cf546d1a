#include "flashbias/cache.hpp"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Error.hpp>
#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "flashbias/error.hpp"
#include "flashbias/jit.hpp"
#include "runtime/byte_size.hpp"
#include "tools/compile_all.hpp"
#include "tools/flag_checks.hpp"
#include "tools/output.hpp"
#include "tools/standard_streams.hpp"
#include "tools/verbs.hpp"

namespace flashbias::tools {
namespace {

using cache::DiskStore;
using Json = nlohmann::ordered_json;
using Statuses = std::vector<DiskStore::Status>;

struct CacheOptions {
  std::string directory;
  std::string key;
  std::string max_size;
  std::optional<int> unused_days;
  bool json = false;

  [[nodiscard]] DiskStore store() const { return existing_store(directory); }
};

double seconds_since(std::filesystem::file_time_type time) {
  return std::chrono::duration<double>(std::filesystem::file_time_type::clock::now() - time).count();
}

Json to_json(const DiskStore::Status& entry) {
  Json json{{"key", entry.key},
            {"problem", entry.problem},
            {"bytes", entry.bytes},
            {"hits", entry.hits},
            {"age_seconds", seconds_since(entry.published)},
            {"unused_seconds", seconds_since(entry.last_used)}};
  if (entry.manifest) json["manifest"] = Json::parse(cache::to_json(*entry.manifest));
  return json;
}

void print_entries(const DiskStore& store, const Statuses& entries) {
  Table table({"key", "arch", "size", "hits", "age", "last used", "config"});
  for (const auto& entry : entries) {
    table.add({short_key(entry.key), entry.manifest ? entry.manifest->arch : "",
               bytes_text(static_cast<std::int64_t>(entry.bytes)), std::to_string(entry.hits),
               age_text(entry.published), age_text(entry.last_used),
               entry.problem.empty() ? entry.manifest->config : entry.problem});
  }
  if (!entries.empty()) fmt::print("{}", table.text());
  fmt::print("{} in {}\n", count_text(entries.size(), "kernel"), store.directory().string());
}

void print_statuses(const CacheOptions& options, const DiskStore& store, const Statuses& entries) {
  if (!options.json) return print_entries(store, entries);
  Json list = Json::array();
  for (const auto& entry : entries) list.push_back(to_json(entry));
  print_json({{"directory", store.directory().string()}, {"entries", std::move(list)}});
}

void list(const CacheOptions& options) {
  const auto store = options.store();
  print_statuses(options, store, store.list());
}

void verify(const CacheOptions& options) {
  const auto store = options.store();
  const auto entries = store.verify();
  print_statuses(options, store, entries);
  const auto bad = std::ranges::count_if(entries, [](const auto& entry) { return !entry.problem.empty(); });
  if (bad == 0) return;
  complain(
      fmt::format("error: {} of {} entries are bad; each is rebuilt when it is next asked for", bad, entries.size()));
  throw CLI::RuntimeError(1);
}

/// The one entry whose key begins so.
DiskStore::Status find_entry(const CacheOptions& options, const DiskStore& store) {
  Statuses found;
  for (auto& entry : store.list()) {
    if (entry.key.starts_with(options.key)) found.push_back(std::move(entry));
  }
  if (found.size() == 1) return std::move(found.front());
  throw Error(ErrorCode::cache, fmt::format("{} in {} begin with '{}', expected one; see `flashbias cache list`",
                                            count_text(found.size(), "key"), store.directory().string(), options.key));
}

void show(const CacheOptions& options) {
  const auto store = options.store();
  const auto entry = find_entry(options, store);
  const auto source = store.source(entry.key);
  if (options.json) {
    Json json = to_json(entry);
    json["source"] = source;
    return print_json(json);
  }
  fmt::print("key        {}\nsize       {}\nhits       {}\nage        {}\nlast used  {}\n\n{}\n{}", entry.key,
             bytes_text(static_cast<std::int64_t>(entry.bytes)), entry.hits, age_text(entry.published),
             age_text(entry.last_used), cache::to_json(*entry.manifest), source);
}

struct Sum {
  std::size_t entries = 0;
  std::uintmax_t bytes = 0;
  std::uintmax_t hits = 0;

  void add(const DiskStore::Status& entry) {
    ++entries;
    bytes += entry.bytes;
    hits += entry.hits;
  }
  [[nodiscard]] Json json() const { return {{"entries", entries}, {"bytes", bytes}, {"hits", hits}}; }
  [[nodiscard]] std::vector<std::string> row(const std::string& name) const {
    return {name, std::to_string(entries), bytes_text(static_cast<std::int64_t>(bytes)), std::to_string(hits)};
  }
};

void stats(const CacheOptions& options) {
  const auto store = options.store();
  Sum all;
  Sum bad;
  std::map<std::string, Sum> groups;
  for (const auto& entry : store.list()) {
    all.add(entry);
    if (!entry.manifest) {
      bad.add(entry);
      continue;
    }
    groups[entry.manifest->arch].add(entry);
    groups["NVRTC " + entry.manifest->compiler_version].add(entry);
  }
  const auto limit = cache_options(options.directory).cache_bytes;
  if (options.json) {
    Json parts = Json::object();
    for (const auto& [name, sum] : groups) parts[name] = sum.json();
    return print_json({{"directory", store.directory().string()},
                       {"limit_bytes", limit},
                       {"all", all.json()},
                       {"bad", bad.json()},
                       {"groups", std::move(parts)}});
  }
  Table table({"", "kernels", "size", "hits"});
  table.add(all.row("all"));
  for (const auto& [name, sum] : groups) table.add(sum.row(name));
  if (bad.entries > 0) table.add(bad.row("bad"));
  fmt::print("{}{} of {} in {}\n", table.text(), bytes_text(static_cast<std::int64_t>(all.bytes)),
             bytes_text(static_cast<std::int64_t>(limit)), store.directory().string());
}

/// Once all else is said.
void fail_for(const cache::PruneResult& result) {
  if (result.problem.empty()) return;
  complain(fmt::format("error: {}; what else was due is gone", result.problem));
  throw CLI::RuntimeError(1);
}

void print_removal(const DiskStore& store, const cache::PruneResult& result) {
  fmt::print("removed {} and {}, {}, from {}; {} are left\n", count_text(result.entries, "kernel"),
             count_text(result.leftovers, "leftover"), bytes_text(static_cast<std::int64_t>(result.bytes)),
             store.directory().string(), bytes_text(static_cast<std::int64_t>(result.bytes_left)));
  if (result.in_use > 0)
    fmt::print("kept although due, since a process uses them: {}\n", count_text(result.in_use, "kernel"));
}

void prune(const CacheOptions& options) {
  const auto store = options.store();
  cache::PruneOptions what;
  if (!options.max_size.empty()) what.bytes = runtime::parse_byte_size(options.max_size);
  if (options.unused_days) what.unused_for = std::chrono::hours(24) * *options.unused_days;
  if (!what.bytes && !what.unused_for) what.bytes = cache_options(options.directory).cache_bytes;
  const auto result = store.prune(what);
  if (options.json) {
    print_json({{"directory", store.directory().string()},
                {"removed", result.entries},
                {"removed_bytes", result.bytes},
                {"leftovers", result.leftovers},
                {"in_use", result.in_use},
                {"bytes_left", result.bytes_left},
                {"problem", result.problem}});
  } else {
    print_removal(store, result);
  }
  fail_for(result);
}

void clear(const CacheOptions& options) {
  const auto store = options.store();
  const auto result = store.clear();
  if (options.json) {
    print_json({{"directory", store.directory().string()},
                {"removed", result.entries},
                {"removed_bytes", result.bytes},
                {"leftovers", result.leftovers},
                {"bytes_left", result.bytes_left},
                {"problem", result.problem}});
  } else {
    print_removal(store, result);
  }
  fail_for(result);
}

}  // namespace

void add_cache(CLI::App& app) {
  auto* verb = app.add_subcommand("cache", "List, show, verify, prune or clear the compiled kernels on disk");
  verb->require_subcommand(1);
  auto options = std::make_shared<CacheOptions>();
  const auto add = [&](const char* name, const char* help, void (*action)(const CacheOptions&)) {
    auto* part = verb->add_subcommand(name, help);
    part->add_option("--cache", options->directory, "directory in place of the default cache")->check(not_empty());
    part->add_flag("--json", options->json, "for programs");
    part->callback([options, action] { action(*options); });
    return part;
  };
  add("list", "Every kernel with its architecture, size, hits, age and config", list);
  add("show", "The manifest and the source of one kernel", show)
      ->add_option("key", options->key, "its key, or how it begins")
      ->required();
  add("verify", "Check every entry byte for byte; fails if one is bad", verify);
  add("stats", "Kernels, bytes and hits, by architecture and compiler", stats);
  auto* part = add("prune", "Remove what was used longest ago, never what is in use, and leftovers", prune);
  part->add_option("--max-size", options->max_size,
                   "what may stay, such as 500MiB; without --unused-days, the cache's limit by default");
  part->add_option("--unused-days", options->unused_days, "remove what was not used for so many days")
      ->check(whole_number(0, std::numeric_limits<int>::max()));
  add("clear", "Remove every kernel, in use or not, and leftovers", clear);
}

}  // namespace flashbias::tools
