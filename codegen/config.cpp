#include "flashbias/config.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>

#include "codegen/divisors.hpp"
#include "codegen/excerpt.hpp"
#include "codegen/gradients.hpp"
#include "codegen/hash.hpp"
#include "codegen/inputs.hpp"
#include "codegen/provable_mistakes.hpp"
#include "codegen/ranges.hpp"
#include "flashbias/error.hpp"

namespace flashbias {
namespace {

constexpr int kHeadDimStep = 8;
constexpr int kMaxHeadDim = 256;

int head_dim_v(const AttentionConfig& config) { return config.head_dim_v == 0 ? config.head_dim : config.head_dim_v; }

void validate_head_dim(std::string_view field, int value, std::string_view tensors) {
  if (value > 0 && value <= kMaxHeadDim && value % kHeadDimStep == 0) return;
  const int next = (value + kHeadDimStep - 1) / kHeadDimStep * kHeadDimStep;
  const std::string remedy =
      value > 0 && value < kMaxHeadDim ? fmt::format("; pad {} with zeros to {}", tensors, next) : "";
  throw Error(ErrorCode::invalid_config, fmt::format("{} is {}; it must be a multiple of {} from {} to {}{}", field,
                                                     value, kHeadDimStep, kHeadDimStep, kMaxHeadDim, remedy));
}

void validate_bias(const AttentionConfig& config) {
  const ValueType type = config.bias.type();
  if (type.dims != 1 || type.scalar == ScalarType::boolean) {
    throw Error(ErrorCode::invalid_config,
                fmt::format("bias is `{}` ({}); it must be one number: take a component (x[0]), an inner product "
                            "(dot(x, y)) or a choice (select(condition, a, b))",
                            codegen::excerpt(to_string(config.bias)), to_string(type)));
  }
  const std::size_t inputs = codegen::collect_inputs(config.bias, config.dtype).size();
  if (inputs > static_cast<std::size_t>(kMaxInputs)) {
    throw Error(ErrorCode::invalid_config, fmt::format("bias reads {} inputs; at most {} are accepted. Put several "
                                                       "numbers a token in one input of several dims",
                                                       inputs, kMaxInputs));
  }
  codegen::reject_provable_mistakes(codegen::spread_declared_ranges(config.bias));
  codegen::reject_zero_divisors(config.bias, config.causal);
}

void validate_direction(const AttentionConfig& config) {
  if (config.direction == Direction::forward) {
    if (config.deterministic)
      throw Error(ErrorCode::invalid_config,
                  "deterministic is true, but the direction is forward, whose output is bit-identical from run to run "
                  "anyway; leave it out");
    if (config.gradients.empty()) return;
    throw Error(
        ErrorCode::invalid_config,
        fmt::format("gradients is \"{}\", but the direction is forward; set direction=backward, or leave it out",
                    fmt::join(config.gradients, ",")));
  }
  if (config.lowering || config.tile)
    throw Error(ErrorCode::invalid_config,
                "lowering and tile are for the forward pass: the backward pass has one of each; leave them out");
  codegen::validate_gradients(config);
}

}  // namespace

bool operator==(const AttentionConfig& a, const AttentionConfig& b) noexcept {
  return a.direction == b.direction && a.dtype == b.dtype && a.head_dim == b.head_dim &&
         head_dim_v(a) == head_dim_v(b) && a.causal == b.causal && a.log_sum_exp == b.log_sum_exp && a.arch == b.arch &&
         a.gradients == b.gradients && a.deterministic == b.deterministic && a.main_loop == b.main_loop &&
         a.lowering == b.lowering && a.tile == b.tile && equal(a.bias, b.bias);
}

std::size_t hash_value(const AttentionConfig& config) noexcept {
  using codegen::mix;
  std::uint64_t hash = config.bias.node().hash;
  hash = mix(hash, static_cast<std::uint64_t>(config.direction));
  hash = mix(hash, static_cast<std::uint64_t>(config.dtype));
  hash = mix(hash, static_cast<std::uint64_t>(config.head_dim));
  hash = mix(hash, static_cast<std::uint64_t>(head_dim_v(config)));
  hash = mix(hash, config.causal ? 1 : 0);
  hash = mix(hash, config.log_sum_exp ? 1 : 0);
  for (const std::string& name : config.gradients) hash = mix(hash, std::hash<std::string>()(name));
  hash = mix(hash, config.deterministic ? 1 : 0);
  hash = mix(hash, config.main_loop ? 1 + static_cast<std::uint64_t>(*config.main_loop) : 0);
  hash = mix(hash, config.lowering ? 1 + static_cast<std::uint64_t>(*config.lowering) : 0);
  if (config.tile) {
    const TileShape& tile = *config.tile;
    for (const int number : {tile.block_q, tile.block_k, tile.warps, tile.blocks_per_multiprocessor})
      hash = mix(hash, static_cast<std::uint64_t>(number));
    hash = mix(hash, tile.query_in_registers ? 2 : 1);
  }
  return mix(hash, static_cast<std::uint64_t>(config.arch.compute_capability));
}

void validate(const AttentionConfig& config) {
  if (config.dtype != DType::f16 && config.dtype != DType::bf16) {
    throw Error(ErrorCode::invalid_config,
                fmt::format("dtype is {}; q, k and v must be f16 or bf16", to_string(config.dtype)));
  }
  validate_head_dim("head_dim", config.head_dim, "q and k");
  if (config.head_dim_v != 0) validate_head_dim("head_dim_v", config.head_dim_v, "v");
  if (config.tile) validate_tile(*config.tile);
  validate_bias(config);
  validate_direction(config);
  const auto& archs = supported_archs();
  if (!config.arch.is_current_device() && std::ranges::find(archs, config.arch) == archs.end()) {
    std::string names;
    for (const Arch arch : archs) names += to_string(arch) + ", ";
    throw Error(ErrorCode::invalid_config,
                fmt::format("arch is {}; it must be one of {}or current", to_string(config.arch), names));
  }
}

}  // namespace flashbias
