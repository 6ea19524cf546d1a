#include "flashbias/pack.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Error.hpp>
#include <algorithm>
#include <cerrno>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "flashbias/error.hpp"
#include "flashbias/jit.hpp"
#include "flashbias/source.hpp"
#include "tools/compile_all.hpp"
#include "tools/flag_checks.hpp"
#include "tools/output.hpp"
#include "tools/pack_files.hpp"
#include "tools/standard_streams.hpp"
#include "tools/verbs.hpp"

namespace flashbias::tools {

void check_pack_path(const std::filesystem::path& path) {
  const auto reject = [&](const std::string& problem) {
    throw Error(ErrorCode::cache, fmt::format("cannot write the pack {}: {}", path.string(), problem));
  };
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) reject("it is a directory; expected the name of a file");
  // A pipe or a device would be replaced, not written to.
  if (std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored))
    reject("it is no regular file; expected the name of one, or of none yet");
  const auto directory = std::filesystem::absolute(path).parent_path();
  if (access(directory.c_str(), W_OK | X_OK) == 0) return;
  reject(fmt::format("its directory {}: {}", directory.string(), std::generic_category().message(errno)));
}

namespace {

using cache::Pack;
using cache::PackWriter;
using Json = nlohmann::ordered_json;

struct PackOptions {
  std::string pack;
  std::vector<std::string> packs;
  std::string output;
  std::string directory;
  std::vector<std::string> archs;
  bool json = false;
};

void report_written(const PackOptions& options, const PackWriter& writer, std::size_t left_out) {
  const auto bytes = std::filesystem::file_size(options.output);
  if (options.json) {
    return print_json({{"pack", options.output}, {"kernels", writer.size()}, {"bytes", bytes}, {"left_out", left_out}});
  }
  fmt::print("wrote {} with {}, {}\n", options.output, count_text(writer.size(), "kernel"),
             bytes_text(static_cast<std::int64_t>(bytes)));
  if (left_out > 0)
    fmt::print("left out, as another of the same source is in it: {}\n", count_text(left_out, "kernel"));
}

/// The names of architectures as manifests have them.
std::vector<std::string> canonical(const std::vector<std::string>& archs) {
  std::vector<std::string> names;
  for (const auto& arch : archs) names.push_back(to_string(real_arch(arch)));
  return names;
}

/// Those for these architectures, if any are named, and those that do not tell theirs; the last published first.
std::vector<std::string> wanted_keys(const cache::DiskStore& store, const std::vector<std::string>& archs) {
  auto statuses = store.list();
  std::ranges::stable_sort(statuses, std::ranges::greater{}, &cache::DiskStore::Status::published);
  std::vector<std::string> keys;
  for (const auto& status : statuses) {
    const bool wanted = !status.manifest || archs.empty() || std::ranges::count(archs, status.manifest->arch) > 0;
    if (wanted) keys.push_back(status.key);
  }
  return keys;
}

void create(const PackOptions& options) {
  const auto archs = canonical(options.archs);
  check_pack_path(options.output);
  const cache::DiskStore store = existing_store(options.directory);
  PackWriter writer;
  std::size_t left_out = 0;
  std::vector<std::string> bad;
  // Of kernels of one source, by several versions of NVRTC, the first that is added stays.
  for (const auto& key : wanted_keys(store, archs)) {
    cache::Miss why;
    if (const auto entry = store.load(key, /*with_source=*/true, &why)) {
      left_out += writer.add(*entry) ? 0 : 1;
    } else {
      bad.push_back(fmt::format("  {}: {}", key, why.detail.empty() ? "it is gone" : why.detail));
    }
  }
  if (!bad.empty()) {
    throw Error(ErrorCode::cache,
                fmt::format("{} in {} cannot be packed:\n{}\nrun this again for the others, or `flashbias "
                            "precompile`, which makes them anew",
                            count_text(bad.size(), "kernel"), store.directory().string(), fmt::join(bad, "\n")));
  }
  if (writer.size() == 0) {
    throw Error(ErrorCode::cache,
                fmt::format("there are no kernels{}{} in {}; see `flashbias cache stats` and `flashbias precompile`",
                            archs.empty() ? "" : " for ", fmt::join(archs, ", "), store.directory().string()));
  }
  writer.write(options.output);
  report_written(options, writer, left_out);
}

void merge(const PackOptions& options) {
  check_pack_path(options.output);
  PackWriter writer;
  std::size_t left_out = 0;
  for (const auto& file : options.packs) left_out += writer.add(Pack(file));
  writer.write(options.output);
  report_written(options, writer, left_out);
}

Json to_json(const Pack::Status& status) {
  Json json{{"key", status.key},
            {"source_key", status.source_key},
            {"packed_bytes", status.packed_bytes},
            {"problem", status.problem}};
  if (status.manifest) json["manifest"] = Json::parse(cache::to_json(*status.manifest));
  return json;
}

void print_statuses(const PackOptions& options, const Pack& pack, const std::vector<Pack::Status>& statuses) {
  if (options.json) {
    Json list = Json::array();
    for (const auto& status : statuses) list.push_back(to_json(status));
    return print_json({{"pack", pack.path().string()},
                       {"format_version", cache::kFormatVersion},
                       {"bytes", pack.bytes()},
                       {"kernels", std::move(list)}});
  }
  Table table({"key", "arch", "cubin", "packed", "config"});
  for (const auto& status : statuses) {
    const auto& manifest = status.manifest;
    table.add({short_key(status.key), manifest ? manifest->arch : "",
               manifest ? bytes_text(static_cast<std::int64_t>(manifest->cubin_bytes)) : "",
               bytes_text(static_cast<std::int64_t>(status.packed_bytes)),
               status.problem.empty() ? manifest->config : status.problem});
  }
  if (!statuses.empty()) fmt::print("{}", table.text());
  fmt::print("{} in {}, {}\n", count_text(statuses.size(), "kernel"), pack.path().string(),
             bytes_text(static_cast<std::int64_t>(pack.bytes())));
}

void fail_for_bad(const std::vector<Pack::Status>& statuses) {
  const auto bad = std::ranges::count_if(statuses, [](const auto& status) { return !status.problem.empty(); });
  if (bad == 0) return;
  complain(fmt::format("error: {} of {} kernels are bad; make the pack anew", bad, statuses.size()));
  throw CLI::RuntimeError(1);
}

void list(const PackOptions& options) {
  const Pack pack(options.pack);
  const auto statuses = pack.list();
  print_statuses(options, pack, statuses);
  fail_for_bad(statuses);
}

void verify(const PackOptions& options) {
  const Pack pack(options.pack);
  const auto statuses = pack.verify();
  print_statuses(options, pack, statuses);
  fail_for_bad(statuses);
}

/// The source of a kernel is not in the pack: this flashbias writes it again, if it is the same version.
cache::Entry entry_of(const cache::PackedCubin& cubin) {
  return {.key = cubin.key,
          .manifest = cubin.manifest,
          .cubin = cubin.image,
          .source = emit(plan(parse_config(cubin.manifest.config))).text};
}

void extract(const PackOptions& options) {
  const Pack pack(options.pack);
  const cache::DiskStore store(options.directory, cache_options(options.directory).cache_bytes);
  std::size_t extracted = 0;
  std::size_t failed = 0;
  for (const auto& status : pack.list()) {
    try {
      if (!status.problem.empty()) throw Error(ErrorCode::cache, status.problem);
      cache::Miss why;
      const auto cubin = pack.load(status.source_key, status.manifest->config, &why);
      if (!cubin) throw Error(ErrorCode::cache, why.detail.empty() ? "the index does not lead to it" : why.detail);
      store.publish(entry_of(*cubin));
      ++extracted;
    } catch (const Error& error) {
      ++failed;
      complain(
          fmt::format("error: {}: {}", status.manifest ? status.manifest->config : status.source_key, error.what()));
    }
  }
  if (options.json) {
    print_json({{"directory", store.directory().string()}, {"extracted", extracted}, {"failed", failed}});
  } else {
    fmt::print("extracted {} to {}\n", count_text(extracted, "kernel"), store.directory().string());
  }
  if (failed == 0) return;
  complain(fmt::format("error: {} of {} kernels could not be extracted", failed, pack.size()));
  throw CLI::RuntimeError(1);
}

}  // namespace

void add_pack(CLI::App& app) {
  auto* verb =
      app.add_subcommand("pack", "Make, list, verify, extract or merge packs: files of kernels for deployment");
  verb->require_subcommand(1);
  auto options = std::make_shared<PackOptions>();
  const auto add = [&](const char* name, const char* help, void (*action)(const PackOptions&)) {
    auto* part = verb->add_subcommand(name, help);
    part->add_flag("--json", options->json, "for programs");
    part->callback([options, action] { action(*options); });
    return part;
  };
  const auto add_output = [&](CLI::App* part) {
    part->add_option("-o,--output", options->output, "file to write")->required()->check(not_empty());
    return part;
  };
  const auto add_file = [&](CLI::App* part) {
    part->add_option("pack", options->pack, "the pack")->required();
    return part;
  };
  auto* part = add_output(add("create", "Put the kernels of a cache directory into a pack", create));
  part->add_option("--cache", options->directory, "directory in place of the default cache")->check(not_empty());
  part->add_option("--arch", options->archs, "only those for these architectures, such as sm_80,sm_90a")
      ->delimiter(',');
  add_file(add("list", "Every kernel with its architecture, sizes and config", list));
  add_file(add("verify", "Check every kernel byte for byte; fails if one is bad", verify));
  add_file(add("extract", "Put the kernels of a pack into a cache directory", extract))
      ->add_option("directory", options->directory, "the cache directory")
      ->required()
      ->check(not_empty());
  add_output(add("merge", "Put the kernels of several packs into one; of equal ones, the first stays", merge))
      ->add_option("packs", options->packs, "the packs")
      ->required();
}

}  // namespace flashbias::tools
