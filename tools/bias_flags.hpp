#pragma once

#include <CLI/App.hpp>
#include <optional>
#include <string>

#include "flashbias/bias.hpp"

namespace flashbias::tools {

/// `--bias NAME` with what that bias needs, or `--bias EXPRESSION`.
struct BiasFlags {
  std::string bias = "none";
  std::optional<int> rank;
  std::optional<int> dims;
  std::optional<std::string> weight;
  std::optional<int> max_distance;
  std::optional<int> buckets;
  std::optional<std::string> window;
  bool unidirectional = false;
  bool key_padding_mask = false;

  void add_to(CLI::App& verb);
  /// Throws Error(invalid_config) for a flag that the bias needs and lacks, or has and does not take.
  [[nodiscard]] Expr expression() const;
};

}  // namespace flashbias::tools
