#include <fmt/format.h>

#include <nlohmann/json.hpp>

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

KernelResources resources_from_json(const Json& json) {
  return {.registers = json.at("registers"),
          .static_shared_bytes = json.at("static_shared_bytes"),
          .stack_bytes = json.at("stack_bytes"),
          .spill_store_bytes = json.at("spill_store_bytes"),
          .spill_load_bytes = json.at("spill_load_bytes")};
}

/// Before all else: the fields of another format may mean something else.
void check_format_version(const Json& json) {
  const int version = json.at("format_version");
  if (version == kFormatVersion) return;
  throw Error(ErrorCode::cache, fmt::format("the manifest has format_version {}, this flashbias writes and reads {}",
                                            version, kFormatVersion));
}

}  // namespace

std::string to_json(const Manifest& manifest) {
  const Json json = {{"format_version", manifest.format_version},
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
  return {.format_version = json.at("format_version"),
          .config = json.at("config"),
          .arch = json.at("arch"),
          .options = json.at("options"),
          .compiler_version = json.at("compiler_version"),
          .source_sha256 = json.at("source_sha256"),
          .cubin_sha256 = json.at("cubin_sha256"),
          .cubin_bytes = json.at("cubin_bytes"),
          .resources = resources_from_json(json.at("resources")),
          .compile_ms = json.at("compile_ms")};
} catch (const Json::exception& exception) {
  throw Error(ErrorCode::cache, fmt::format("the manifest is malformed: {}", exception.what()));
}

}  // namespace flashbias::cache
