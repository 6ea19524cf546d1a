#include "flashbias/tuning.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <system_error>

#include "flashbias/cache.hpp"
#include "flashbias/error.hpp"

namespace flashbias::tuning {
namespace {

constexpr const char* kDirectory = "tuned";

std::filesystem::path file_of(const AttentionConfig& config, const std::filesystem::path& cache_dir) {
  const std::string text = to_string(config);
  return cache_dir / kDirectory / (cache::sha256_hex(text.data(), text.size()) + ".json");
}

Winner parse(const std::string& text, const AttentionConfig& config) {
  const auto json = nlohmann::json::parse(text);
  if (json.at("config") != to_string(config)) throw Error(ErrorCode::cache, "the file is of another config");
  Winner winner{.lowering = {},
                .tile = {},
                .milliseconds = json.at("milliseconds"),
                .shape = json.at("shape"),
                .device = json.at("device")};
  if (json.contains("lowering")) winner.lowering = parse_lowering(json.at("lowering").get<std::string>());
  if (json.contains("tile")) winner.tile = parse_tile_shape(json.at("tile").get<std::string>());
  if (winner.tile) validate_tile(*winner.tile);
  return winner;
}

}  // namespace

void remember(const AttentionConfig& config, const Winner& winner, const std::filesystem::path& cache_dir) {
  nlohmann::ordered_json json{{"config", to_string(config)},
                              {"shape", winner.shape},
                              {"device", winner.device},
                              {"milliseconds", winner.milliseconds}};
  if (winner.lowering) json["lowering"] = to_string(*winner.lowering);
  if (winner.tile) json["tile"] = to_string(*winner.tile);
  const std::filesystem::path file = file_of(config, cache_dir);
  const std::filesystem::path unfinished = file.string() + fmt::format(".new-{}", getpid());
  try {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream out(unfinished);
    out << json.dump(2) << '\n';
    out.close();
    if (!out)
      throw std::filesystem::filesystem_error("write", unfinished, std::error_code(errno, std::generic_category()));
    std::filesystem::rename(unfinished, file);
  } catch (const std::filesystem::filesystem_error& error) {
    std::error_code ignored;
    std::filesystem::remove(unfinished, ignored);
    throw Error(ErrorCode::cache, fmt::format("cannot keep what tuning found in {}: {}", file.string(), error.what()));
  }
}

std::optional<Winner> recall(const AttentionConfig& config, const std::filesystem::path& cache_dir) {
  std::ifstream in(file_of(config, cache_dir));
  if (!in) return std::nullopt;
  std::ostringstream text;
  text << in.rdbuf();
  try {
    return parse(text.str(), config);
  } catch (const std::exception&) {  // a file of another version, or damaged: the planner's choice serves
    return std::nullopt;
  }
}

AttentionConfig with_winner(const AttentionConfig& config, const std::filesystem::path& cache_dir) {
  if (config.lowering || config.tile) return config;
  AttentionConfig chosen = config;
  if (const auto winner = recall(config, cache_dir)) {
    chosen.lowering = winner->lowering;
    chosen.tile = winner->tile;
  }
  return chosen;
}

}  // namespace flashbias::tuning
