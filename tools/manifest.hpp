#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flashbias/config.hpp"

/// Manifests: the kernels that a deployment needs, or a model zoo. See docs/manifest.md.
namespace flashbias::tools {

/// Sizes of an attention call.
struct Shape {
  std::int64_t batch = 1;
  std::int64_t heads = 1;
  std::int64_t kv_heads = 1;
  std::int64_t seqlen_q = 1;
  std::int64_t seqlen_k = 1;
};

struct ManifestEntry {
  std::string name;
  AttentionConfig config;  ///< its arch is the current device's: a manifest serves every architecture
  std::optional<Shape> shape;
  std::string source;  ///< where the numbers come from
};

/// Throws Error(parse) that starts with `FILE:LINE:` and names the entry, the value and what was expected.
[[nodiscard]] std::vector<ManifestEntry> parse_manifest(std::string_view text, const std::string& file);
/// Throws Error(io) too.
[[nodiscard]] std::vector<ManifestEntry> read_manifest(const std::filesystem::path& path);

}  // namespace flashbias::tools
