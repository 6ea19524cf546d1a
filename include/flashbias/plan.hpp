#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "flashbias/bias.hpp"
#include "flashbias/config.hpp"
#include "flashbias/main_loop.hpp"

namespace flashbias {

namespace codegen {
struct BiasProgram;
struct BackwardProgram;
}  // namespace codegen

/// A way to execute a term, taken or not.
struct Alternative {
  Lowering lowering = Lowering::registers;
  double cost = 0;  ///< predicted: in instructions a score, of which 16 columns on the tensor cores are about one
  std::string obstacle{};  ///< why it cannot be taken; empty where it can
};

/// One additive term of the bias and its fate.
struct TermPlan {
  Expr expression;
  Lowering lowering = Lowering::registers;
  std::string reason;
  /// Of a term that is a finite sum of products of query and key terms: as many factors make it up, beside what depends
  /// on the query or the key alone.
  std::optional<int> separable_rank{};
  std::vector<Alternative> alternatives{};  ///< cheapest first; empty where the term needs no choice
};

/// A tensor that the bias reads, bound by name at launch.
struct InputSpec {
  Op kind = Op::key_input;  ///< head_scalar, query_input, key_input, pair_input or table
  std::string name{};
  DType dtype = DType::f32;
  int dims = 1;                  ///< numbers a token, or entries of a table
  std::optional<Range> range{};  ///< that its owner declares
  friend bool operator==(const InputSpec&, const InputSpec&) = default;
};

/// The inputs of a learned product dot(q_input, k_input).
struct FactorInputs {
  std::string q_input;
  std::string k_input;
  int layout_columns = 0;  ///< tiles in shared memory are laid out as those of so many
  friend bool operator==(const FactorInputs&, const FactorInputs&) = default;
};

/// How the work is cut: what one thread block works on at a time.
struct Tile {
  int block_q = 128;                  ///< query rows a thread block
  int block_k = 64;                   ///< keys a step
  int warps = 4;                      ///< that compute
  int blocks_per_multiprocessor = 1;  ///< that registers must leave room for
  bool query_in_registers = false;    ///< read once, instead of from shared memory at each step
  int allowed_spill_bytes = 0;        ///< a thread; addresses that are read back once a step, where that is faster
  std::string reason{};

  // Of a backward pass.
  int columns_at_once = 0;  ///< of a tile, whose scores a warp holds
  int rows_a_warp = 16;     ///< where these take fewer warps than there are, several share rows

  int stages = 1;  ///< of the main loop for Hopper and of backward passes: tiles that rows walk over under way

  // Of the main loop for Hopper.
  bool pair_tiles = false;           ///< inputs for each query and key pass through shared memory
  bool pairs_blocks = false;         ///< the longest rows of a head go with its shortest: causality makes them differ
  bool output_over_queries = false;  ///< in shared memory, where there is none for both
};

/// A kind of work of the backward pass, done by some of its thread blocks.
struct BackwardPass {
  bool owns_keys = false;        ///< a block has rows of keys and walks over queries; else rows of queries
  bool writes_operand = false;   ///< the gradient of k, or of q
  bool writes_values = false;    ///< the gradient of v
  bool writes_inputs = false;    ///< gradients of the bias' inputs: of keys, or all others
  bool adds_to_queries = false;  ///< also adds what its keys do to the gradients of q and of q's factors
  bool joins_factors = false;  ///< one product for k and its factors, and one for q and its: their tiles are neighbours
  bool adds_by_tiles = false;  ///< these: each of two warpgroups for every second tile of queries, not half of columns
};

/// How a config will be served: everything the emitter writes and the launcher needs to know.
struct KernelPlan {
  AttentionConfig config;  ///< with arch and head_dim_v resolved
  MainLoop main_loop = MainLoop::portable;
  std::string main_loop_reason;
  Tile tile;
  std::vector<TermPlan> terms;
  std::vector<InputSpec> inputs;              ///< in the order of the kernel's parameters
  std::vector<FactorInputs> fetched_factors;  ///< by the copy engine, each with a descriptor among the parameters
  std::vector<std::string> fetched_pairs{};   ///< likewise, where their rows are aligned: inputs for each query and key
  std::vector<BackwardPass> passes{};         ///< in the order of their thread blocks
  std::vector<InputSpec> input_gradients{};   ///< of the backward pass, in the order of the kernel's parameters
  int shared_bytes = 0;                       ///< dynamic shared memory of a thread block
  Range softmax_scale{0x1p-40, 0x1p40};       ///< for which the kernel is exact
  /// Tokens that a declared range of q_index or kv_index leaves.
  std::optional<std::int64_t> max_q_length{}, max_kv_length{};
  /// What the bias became: the emitter writes it down. Opaque, and shared by copies of the plan.
  std::shared_ptr<const codegen::BiasProgram> program{};
  std::shared_ptr<const codegen::BackwardProgram> backward_program{};  ///< likewise, of the backward pass
};

/// Decides. config.arch must be a real architecture. Throws Error(invalid_config).
[[nodiscard]] KernelPlan plan(const AttentionConfig& config);

/// The plan for people: each term, its lowering, the reason, the tile, shared memory, inputs.
[[nodiscard]] std::string explain(const KernelPlan& plan);
/// The bias after each pass of the planner over it: addends that have found no place in the kernel yet, and the places
/// of the others (query row, key column, diagonal, score, factors). They always add up to the bias as typed. Of a
/// backward config, the passes of the forward pass whose log-sum-exp it reads. Throws Error(invalid_config) as `plan`
/// does.
[[nodiscard]] std::string explain_passes(const KernelPlan& plan);
/// What `explain_passes` gives, as JSON: `bias` as typed, and that after each of the `passes`.
[[nodiscard]] std::string explain_passes_json(const KernelPlan& plan);
/// What `explain` gives, as JSON.
[[nodiscard]] std::string explain_json(const KernelPlan& plan);

}  // namespace flashbias
