#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "flashbias/config.hpp"

/// What measurements found to be faster than the planner's own choice. `flashbias tune` measures.
namespace flashbias::tuning {

/// The fastest of what was measured for a config.
struct Winner {
  std::optional<Lowering> lowering{};  ///< absent: as the planner chooses
  std::optional<TileShape> tile{};     ///< likewise
  double milliseconds = 0;
  std::string shape{};   ///< at which it was measured
  std::string device{};  ///< on which
};

/// Writes `<cache_dir>/tuned/<digest of the config>.json`, atomically; takes the place of an earlier winner. The config
/// names a real arch and forces nothing. Throws Error(cache) naming the path and the reason.
void remember(const AttentionConfig& config, const Winner& winner, const std::filesystem::path& cache_dir);

/// The winner kept for a config, or nothing: also where its file cannot be read, which costs speed alone.
[[nodiscard]] std::optional<Winner> recall(const AttentionConfig& config, const std::filesystem::path& cache_dir);

/// The config with what its winner chose, wherever it forces nothing itself. `plan` may refuse what another version of
/// flashbias kept.
[[nodiscard]] AttentionConfig with_winner(const AttentionConfig& config, const std::filesystem::path& cache_dir);

}  // namespace flashbias::tuning
