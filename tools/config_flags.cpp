#include "tools/config_flags.hpp"

#include <fmt/format.h>

#include <utility>

#include "flashbias/error.hpp"
#include "flashbias/jit.hpp"
#include "tools/flag_checks.hpp"

namespace flashbias::tools {

void ConfigFlags::add_to(CLI::App& verb) {
  verb.add_option("--config", text_, "the config's canonical text, in place of the flags below")->check(not_empty());
  constexpr const char* kGroup = "Config";
  const auto first = verb.get_options().size();
  verb.add_option("--direction", direction_, "forward, or backward: gradients")->capture_default_str()->group(kGroup);
  verb.add_option("--gradients", gradients_, "with backward: of what, such as q,k,v,slopes; of all by default")
      ->type_name("NAMES")
      ->delimiter(',')
      ->group(kGroup);
  verb.add_flag("--deterministic", deterministic_, "with backward: gradients are bit-identical from run to run")
      ->group(kGroup);
  verb.add_option("--dtype", dtype_, "of q, k, v and the output: f16 or bf16")->capture_default_str()->group(kGroup);
  verb.add_option("--head-dim", head_dim_, "of q and k: a multiple of 8 up to 256")
      ->capture_default_str()
      ->check(whole_int())
      ->group(kGroup);
  verb.add_option("--head-dim-v", head_dim_v_, "of v and the output; --head-dim by default")
      ->check(whole_int())
      ->group(kGroup);
  verb.add_flag("--causal", causal_, "query i sees keys up to i + Nk - Nq")->group(kGroup);
  verb.add_option("--main-loop", main_loop_, "portable or hopper; by default the one for Hopper where it serves")
      ->group(kGroup);
  verb.add_flag("--lse", log_sum_exp_, "also write each row's log-sum-exp")->group(kGroup);
  bias_.add_to(verb);
  const auto options = std::as_const(verb).get_options();
  described_by_.assign(options.begin() + static_cast<std::ptrdiff_t>(first), options.end());
  verb.add_option("--arch", arch_, "sm_80, sm_86, sm_89, sm_90a, sm_100 or sm_120; the current device's by default")
      ->check(not_empty())
      ->group(kGroup);
}

AttentionConfig ConfigFlags::config() const {
  AttentionConfig config;
  if (text_.empty()) {
    config = {.direction = parse_direction(direction_),
              .dtype = parse_dtype(dtype_),
              .head_dim = head_dim_,
              .head_dim_v = head_dim_v_,
              .bias = bias_.expression(),
              .causal = causal_,
              .log_sum_exp = log_sum_exp_,
              .arch = {},
              .gradients = gradients_,
              .deterministic = deterministic_};
    if (!main_loop_.empty()) config.main_loop = parse_main_loop(main_loop_);
  } else {
    for (const auto* flag : described_by_) {
      if (flag->count() == 0) continue;
      throw Error(ErrorCode::invalid_config,
                  fmt::format("{} and --config describe a config twice; write it into the text", flag->get_name()));
    }
    config = parse_config(text_);
  }
  validate(config);
  if (config.arch.is_current_device()) {
    config.arch = chosen_arch(arch_);
  } else if (!arch_.empty() && parse_arch(arch_) != config.arch) {
    throw Error(ErrorCode::invalid_config,
                fmt::format("--arch {} contradicts the config's arch={}", arch_, to_string(config.arch)));
  }
  return config;
}

Arch chosen_arch(const std::string& text) {
  if (!text.empty()) return parse_arch(text);
  try {
    return jit::current_arch();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::unsupported_device) throw;
    throw Error(
        error.code(),
        "no --arch given, and no GPU to take it from (see `flashbias doctor`); pass --arch, such as --arch sm_90a");
  }
}

}  // namespace flashbias::tools
