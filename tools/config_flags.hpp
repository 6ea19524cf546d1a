#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "flashbias/config.hpp"
#include "tools/bias_flags.hpp"

namespace flashbias::tools {

/// The flags that describe a config, for each verb that takes one; or its canonical text, `--config TEXT`.
class ConfigFlags {
 public:
  void add_to(CLI::App& verb);
  /// The valid config; an arch that was not given is that of the current device.
  /// Throws Error(invalid_config), Error(parse), Error(unsupported_device).
  [[nodiscard]] AttentionConfig config() const;

 private:
  std::string text_;
  std::string direction_ = "forward";
  std::vector<std::string> gradients_;
  std::string dtype_ = "f16";
  int head_dim_ = 64;
  int head_dim_v_ = 0;
  bool causal_ = false;
  bool log_sum_exp_ = false;
  bool deterministic_ = false;
  std::string main_loop_;
  std::string arch_;
  BiasFlags bias_;
  std::vector<const CLI::Option*> described_by_;  ///< the flags that --config takes the place of
};

/// Parses `--arch`. With an empty text: the current device's, or Error(unsupported_device) that says to pass --arch.
[[nodiscard]] Arch chosen_arch(const std::string& text);

}  // namespace flashbias::tools
