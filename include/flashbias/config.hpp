#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flashbias/bias.hpp"
#include "flashbias/lowering.hpp"
#include "flashbias/main_loop.hpp"
#include "flashbias/tile_shape.hpp"
#include "flashbias/types.hpp"

namespace flashbias {

/// What is wanted: the part of an attention problem that changes the generated code. Sizes (batch, heads,
/// sequence lengths, strides) and the softmax scale are launch arguments and no part of it.
struct AttentionConfig {
  Direction direction = Direction::forward;
  DType dtype = DType::f16;  ///< of q, k, v and the output: f16 or bf16
  int head_dim = 64;         ///< of q and k: a multiple of 8 up to 256
  int head_dim_v = 0;        ///< of v and the output, likewise; 0: as head_dim
  Expr bias{};               ///< added to scale * q k^T; the default is none
  bool causal = false;       ///< key j is seen by query i where j <= i + Nk - Nq (aligned bottom right)
  /// Forward: also write the natural log-sum-exp of each row's full scores, f32 [B, H, Nq]. Backward: always read.
  bool log_sum_exp = false;
  Arch arch{};  ///< default: the current device's
  /// Backward: what gradients are computed of, "q", "k", "v" and names of real-valued inputs of the bias. Empty: of
  /// all.
  std::vector<std::string> gradients{};
  /// Backward: gradients are bit-identical from run to run, which takes longer where the plan would add to those of
  /// queries in any order. A number of the gradient of an input that several warps add to, as those of tables, head
  /// scalars and inputs shared by heads or batch items, then takes 80 bytes of memory during a launch.
  bool deterministic = false;
  /// Forces the main loop: to compare them, or to find out which of them is wrong. By default the one for Hopper where
  /// it serves; where it does not, asking for it is refused with the reason.
  std::optional<MainLoop> main_loop{};
  /// Forces this lowering on every term of the bias that it can serve; by default the planner chooses the cheapest.
  std::optional<Lowering> lowering{};
  /// Forces how the work is cut; by default a table of measurements decides.
  std::optional<TileShape> tile{};
};

[[nodiscard]] bool operator==(const AttentionConfig& a, const AttentionConfig& b) noexcept;
/// Hash of what == compares; touches no strings but the names of gradients.
[[nodiscard]] std::size_t hash_value(const AttentionConfig& config) noexcept;

/// Throws Error(invalid_config) that names the field, its value and what is accepted; for a bias that divides by what
/// may be 0, the place in it.
void validate(const AttentionConfig& config);

/// Canonical text, one line; parses back to an equal config:
/// `direction=forward dtype=f16 head_dim=64 head_dim_v=64 causal=true log_sum_exp=false arch=sm_90a bias="alibi()"`.
[[nodiscard]] std::string to_string(const AttentionConfig& config);
/// Fields in any order, each at most once; absent ones take their defaults. Throws Error(parse).
[[nodiscard]] AttentionConfig parse_config(std::string_view text);

}  // namespace flashbias
