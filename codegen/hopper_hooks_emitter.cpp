#include "codegen/hopper_hooks_emitter.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>
#include <vector>

#include "codegen/bias_program.hpp"
#include "codegen/cuda_types.hpp"
#include "codegen/wgmma_emitter.hpp"

namespace flashbias::codegen {
namespace {

/// Each method writes hooks, or nothing where the bias does not need them.
class HopperHooksEmitter {
 public:
  explicit HopperHooksEmitter(const KernelPlan& plan)
      : plan_(plan), program_(*plan.program), pair_inputs_(pair_inputs(plan.config, *plan.program)) {}

  std::string emit() {
    fetch_tiles();
    if (has_factors()) {
      multiply_factors();
      scale_queries();
    }
    multiply_terms();
    return text_;
  }

 private:
  [[nodiscard]] bool has_factors() const { return !program_.factors.empty(); }

  template <class... T>
  void line(fmt::format_string<T...> format, T&&... args) {
    text_ += fmt::format(format, std::forward<T>(args)...) + "\n";
  }

  void fetches_pairs() {
    if (!plan_.tile.pair_tiles) return;
    std::vector<std::string> conditions;
    for (const InputSpec& input : pair_inputs_)
      conditions.push_back(fmt::format("{}::are_fetched(p.{}_input)", pair_tiles_type(input), input.name));
    line("__device__ bool fetches_pairs() const {{ return {}; }}", fmt::join(conditions, " && "));
  }

  /// What the copy engine fetches, and when.
  void fetch_tiles() {
    if (!has_factors() && !plan_.tile.pair_tiles) return;
    fetches_pairs();
    std::vector<std::string> key_bytes;
    if (has_factors()) {
      line("__device__ __forceinline__ void fetch_queries(Barrier& arrived) const {{");
      for (std::size_t i = 0; i < program_.factors.size(); ++i)
        line("storage.factors{0}.q.copy_from(p.factors{0}_q_map, arrived, block.q_start, block.head, block.batch);", i);
      line("}}");
    }
    line("__device__ __forceinline__ void fetch_keys(Barrier& arrived, int kv_start, int stage) const {{");
    for (std::size_t i = 0; i < program_.factors.size(); ++i) {
      line("storage.factors{0}.k[stage].copy_from(p.factors{0}_k_map, arrived, kv_start, block.head, block.batch);", i);
      key_bytes.push_back(fmt::format("FactorTiles<{}>::Keys::kBytes", program_.factors[i].rank));
    }
    if (plan_.tile.pair_tiles) {
      line("if (fetches_pairs()) {{");
      std::vector<std::string> pair_bytes;
      for (std::size_t i = 0; i < pair_inputs_.size(); ++i) {
        line("storage.{0}_tiles.fetch(stage, p.pairs{1}_map, arrived, block, kv_start);", pair_inputs_[i].name, i);
        pair_bytes.push_back(pair_tiles_type(pair_inputs_[i]) + "::kBytes");
      }
      line("}}");
      key_bytes.push_back(fmt::format("(fetches_pairs() ? {} : 0u)", fmt::join(pair_bytes, " + ")));
    }
    line("}}");
    line("__device__ __forceinline__ u32 key_bytes() const {{ return {}; }}\n", fmt::join(key_bytes, " + "));
  }
  void multiply_factors() {
    line("__device__ __forceinline__ void begin_with_factors(Scores& scores, int stage) const {{");
    line("pin(scores[0]);\nbegin_products();");
    for (std::size_t i = 0; i < program_.factors.size(); ++i)
      line("storage.factors{}.multiply(scores, stage, {});", i, i == 0);
    line("commit_products();\nwait_for_products<0>();\npin(scores[0]);");
    line("scale_scores(scores, p.inverse_softmax_scale);\n}}");
    if (!may_scale_queries(plan_)) return;
    line("__device__ __forceinline__ void add_factors(Scores& scores, int stage) const {{");
    for (std::size_t i = 0; i < program_.factors.size(); ++i)
      line("storage.factors{}.multiply(scores, stage, false);", i);
    line("}}\n");
  }
  /// Scores count what is 1 in the bias as `score_unit`.
  void scale_queries() {
    if (!may_scale_queries(plan_)) {
      line("__device__ float score_unit() const {{ return p.inverse_softmax_scale; }}");
      line("static __device__ bool adds_factors(const Parameters&) {{ return false; }}\n");
      return;
    }
    line("__device__ float score_unit() const {{ return adds_factors(p) ? 1.0f : p.inverse_softmax_scale; }}");
    line(
        "static __device__ bool adds_factors(const Parameters& p) {{ return "
        "is_power_of_two_up_to_one(p.softmax_scale); }}");
    line(
        "template <class Tile>\n__device__ __forceinline__ void scale_queries(Tile& queries) const {{\n"
        "scale_rows(queries, p.softmax_scale);\n}}");
    line(
        "__device__ float multiplier(const Parameters& p) const {{\n"
        "return adds_factors(p) ? kLog2E : p.softmax_scale * kLog2E;\n}}\n");
  }

  /// Products that are added to q k^T in its units.
  void multiply_terms() {
    if (!multiplies_slope(plan_) && !program_.split_factors) return;
    if (program_.split_factors) line("static constexpr bool kMultipliesPublished = true;");
    line("__device__ __forceinline__ void multiply_terms(Scores& scores, int {}) const {{",
         program_.split_factors ? "stage" : "/*stage*/");
    if (multiplies_slope(plan_)) line("storage.slope.multiply(scores);");
    if (program_.split_factors) line("storage.split_factors.multiply(scores, stage);");
    line("}}\n");
  }

  const KernelPlan& plan_;
  const BiasProgram& program_;
  std::vector<InputSpec> pair_inputs_;
  std::string text_;
};

}  // namespace

bool may_scale_queries(const KernelPlan& plan) {
  constexpr int kMostFactorSteps = 4;
  const int head_dim = plan.config.head_dim;
  return !plan.program->factors.empty() && plan.program->factor_steps() <= kMostFactorSteps &&
         (head_dim == 16 || head_dim == 64 || head_dim == 256);
}

std::string pair_tiles_type(const InputSpec& input) {
  return fmt::format("PairTiles<{}>", cuda_element_type(input.dtype));
}

std::string emit_hopper_constants(const KernelPlan& plan) {
  std::string text;
  if (plan.tile.pair_tiles) text += "static constexpr bool kAddsFetched = true;\n";
  std::vector<std::string> bytes;
  for (const FactorTerm& factors : plan.program->factors)
    bytes.push_back(fmt::format("FactorTiles<{}>::Queries::kBytes", factors.rank));
  if (!bytes.empty()) text += fmt::format("static constexpr u32 kQueryBytes = {};\n", fmt::join(bytes, " + "));
  return text;
}

std::string emit_hopper_hooks(const KernelPlan& plan) { return HopperHooksEmitter(plan).emit(); }

}  // namespace flashbias::codegen
