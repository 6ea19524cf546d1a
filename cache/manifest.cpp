#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

#include "flashbias/cache.hpp"
#include "flashbias/error.hpp"

namespace flashbias::cache {
namespace {

using Json = nlohmann::ordered_json;

Json resources_to_json(const KernelResources& resources) {
  return {{"registers", resources.registers},
          {"static_shared_bytes", resources.static_shared_bytes},
          {"stack_bytes", resources.stack_bytes},
          {"spill_store_bytes", resources.spill_store_bytes},
          {"spill_load_bytes", resources.spill_load_bytes}};
}

/// Not below 0; the library would convert any number to any type.
template <class Integer>
Integer count(const Json& json, const char* name) {
  const Json& value = json.at(name);
  if (value.is_number_unsigned() && std::in_range<Integer>(value.get<std::uint64_t>())) return value.get<Integer>();
  throw Error(ErrorCode::cache, fmt::format("{} is {}, expected a count", name, value.dump()));
}

KernelResources resources_from_json(const Json& json) {
  return {.registers = count<int>(json, "registers"),
          .static_shared_bytes = count<int>(json, "static_shared_bytes"),
          .stack_bytes = count<int>(json, "stack_bytes"),
          .spill_store_bytes = count<int>(json, "spill_store_bytes"),
          .spill_load_bytes = count<int>(json, "spill_load_bytes")};
}

/// Before all else: the fields of another format may mean something else.
void check_format_version(const Json& json) {
  const int version = count<int>(json, "format_version");
  if (version == kFormatVersion) return;
  throw Error(ErrorCode::cache, fmt::format("the manifest has format_version {}, this flashbias writes and reads {}",
                                            version, kFormatVersion));
}

}  // namespace

std::string to_json(const Manifest& manifest) {
  const Json json = {{"format_version", manifest.format_version},
                     {"flashbias_version", manifest.flashbias_version},
                     {"config", manifest.config},
                     {"arch", manifest.arch},
                     {"options", manifest.options},
                     {"compiler_version", manifest.compiler_version},
                     {"source_sha256", manifest.source_sha256},
                     {"cubin_sha256", manifest.cubin_sha256},
                     {"cubin_bytes", manifest.cubin_bytes},
                     {"resources", resources_to_json(manifest.resources)},
                     {"compile_ms", manifest.compile_ms}};
  return json.dump(2) + "\n";
}

Manifest parse_manifest(const std::string& text) try {
  const Json json = Json::parse(text);
  check_format_version(json);
  return {.format_version = kFormatVersion,
          .flashbias_version = json.at("flashbias_version"),
          .config = json.at("config"),
          .arch = json.at("arch"),
          .options = json.at("options"),
          .compiler_version = json.at("compiler_version"),
          .source_sha256 = json.at("source_sha256"),
          .cubin_sha256 = json.at("cubin_sha256"),
          .cubin_bytes = count<std::size_t>(json, "cubin_bytes"),
          .resources = resources_from_json(json.at("resources")),
          .compile_ms = json.at("compile_ms")};
} catch (const Json::exception& exception) {
  throw Error(ErrorCode::cache, fmt::format("the manifest is malformed: {}", exception.what()));
}

}  // namespace flashbias::cache
