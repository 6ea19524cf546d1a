#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "flashbias/config.hpp"
#include "flashbias/plan.hpp"

namespace flashbias::testing {

/// How a tensor of logical shape [batch, seqlen, heads, dim] lies in memory.
enum class Layout : std::uint8_t {
  packed,           ///< [batch, seqlen, heads, dim]
  heads_first,      ///< [batch, heads, seqlen, dim]
  padded,           ///< packed, with 16 bytes between rows and a gap between batch items
  broadcast_batch,  ///< one batch item for all
};

/// One attention problem: what is asked for, how large, and on which numbers.
struct AttentionCase {
  AttentionConfig config;
  int batch = 2;
  int heads = 4;
  int kv_heads = 4;
  int q_length = 64;
  int kv_length = 64;
  Layout layout = Layout::packed;
  double score_spread = 1;     ///< standard deviation of q
  double position_extent = 1;  ///< coordinates are uniform in [-extent, extent]
  double softmax_scale = 0;    ///< 0: the default
  std::uint64_t seed = 0;      ///< of the numbers; 0: another each time
  bool inputs_a_head = true;   ///< bias inputs differ from head to head
  bool inputs_a_batch_item = false;
  /// Replaces random numbers of q, k, v or a bias input: (tensor, batch item, token or row, head, column) -> number.
  std::function<std::optional<double>(const std::string&, std::int64_t, std::int64_t, std::int64_t, std::int64_t)>
      replace{};
};

/// `alibi() f16 d=64 causal B=2 H=4/4 N=64x64`.
[[nodiscard]] std::string to_string(const AttentionCase& attention);

/// The same case with a seed: its own, or a new one where it has none.
[[nodiscard]] AttentionCase seeded(AttentionCase attention);

struct CaseResult {
  double error = 0;              ///< ||out - exact|| / ||exact|| over the rows checked; 0 or infinite where exact is 0
  double rounding_error = 0;     ///< that of the exact rows rounded to the dtype
  double log_sum_exp_error = 0;  ///< largest |error| / max(1, |exact|); infinities must match
  std::int64_t unwritten = 0;    ///< outputs that still hold the poison
  std::uint64_t seed = 0;        ///< of the numbers that it ran on
  [[nodiscard]] double ratio() const { return rounding_error > 0 ? error / rounding_error : error; }
};

/// Runs on the GPU and compares with float64: every row of a small problem, 256 rows of a large one.
[[nodiscard]] CaseResult run(const AttentionCase& attention);

/// Compiles the kernels of the cases on all cores, into the cache.
void compile_ahead(const std::vector<AttentionCase>& cases);

/// Runs all and checks each against the bar: error at most 1.5 times that of rounding the exact output to its dtype, in
/// one run or in the mean of many, none of which may exceed 1.75.
void check_all(const std::vector<AttentionCase>& cases);

}  // namespace flashbias::testing
