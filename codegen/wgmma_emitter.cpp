#include "codegen/wgmma_emitter.hpp"

#include <fmt/format.h>

#include <set>

namespace flashbias::codegen {
namespace {

/// A wgmma of 64 rows, `columns` columns and depth 16 with f32 accumulators `d`.
struct Wgmma {
  int columns = 0;
  DType dtype = DType::f16;

  [[nodiscard]] int accumulators() const { return columns / 2; }

  [[nodiscard]] std::string instruction() const {
    return fmt::format("wgmma.mma_async.sync.aligned.m64n{0}k16.f32.{1}.{1}", columns, to_string(dtype));
  }
  [[nodiscard]] std::string parameter() const { return fmt::format("float (&d)[{}][4]", columns / 8); }

  /// `{%0, %1, ...}`, eight a line.
  [[nodiscard]] std::string destination() const {
    std::string text = "{";
    for (int i = 0; i < accumulators(); ++i) {
      text += fmt::format("%{}", i);
      if (i + 1 < accumulators()) text += i % 16 == 15 ? ", \"\n\"" : ", ";
    }
    return text + "}";
  }
  /// `"+f"(d[0][0]), ...`, a tile a line.
  [[nodiscard]] std::string outputs() const {
    std::string text;
    for (int i = 0; i < accumulators(); ++i) {
      text += fmt::format("\"+f\"(d[{}][{}])", i / 4, i % 4);
      if (i + 1 < accumulators()) text += i % 4 == 3 ? ",\n" : ", ";
    }
    return text;
  }
};

std::string scores_product(const Wgmma& wgmma) {
  const int first = wgmma.accumulators();
  return fmt::format(
      "// d = (accumulate ? d : 0) + a b^T, with columns of a and b running along their rows in shared memory.\n"
      "__device__ __forceinline__ void multiply_scores({}, unsigned long long a, unsigned long long b,\n"
      "bool accumulate) {{\n"
      "asm volatile(\n\"{{\\n\"\n\".reg .pred accumulate;\\n\"\n\"setp.ne.u32 accumulate, %{}, 0;\\n\"\n"
      "\"{} {}, \"\n\"%{}, %{}, accumulate, 1, 1, 0, 0;\\n\"\n\"}}\"\n"
      ": {}\n: \"l\"(a), \"l\"(b), \"r\"(static_cast<u32>(accumulate)));\n}}\n",
      wgmma.parameter(), first + 2, wgmma.instruction(), wgmma.destination(), first, first + 1, wgmma.outputs());
}

std::string output_product(const char* name, const char* what, const Wgmma& wgmma, bool transposed) {
  const int first = wgmma.accumulators();
  return fmt::format(
      "{}__device__ __forceinline__ void {}({}, const u32 (&a)[4], unsigned long long b) {{\n"
      "asm volatile(\n\"{} {}, \"\n\"{{%{}, %{}, %{}, %{}}}, %{}, 1, 1, 1, {};\"\n"
      ": {}\n: \"r\"(a[0]), \"r\"(a[1]), \"r\"(a[2]), \"r\"(a[3]), \"l\"(b));\n}}\n",
      what, name, wgmma.parameter(), wgmma.instruction(), wgmma.destination(), first, first + 1, first + 2, first + 3,
      first + 4, transposed ? 1 : 0, wgmma.outputs());
}

constexpr const char* kOutput = "// d += a b, with a in registers and the rows of b along those of shared memory.\n";

int whole_steps(int columns) { return (columns + 15) / 16 * 16; }

}  // namespace

std::string emit_products(const KernelPlan& plan) {
  const DType dtype = plan.config.dtype;
  return "#include \"hopper/wgmma.cuh\"\n\n" + scores_product({plan.tile.block_k, dtype}) + "\n" +
         output_product("multiply_output", kOutput, {whole_steps(plan.config.head_dim_v), dtype}, true) + "\n" +
         output_product("multiply_ones", "// d += a b, where all of b is alike.\n", {8, dtype}, false);
}

std::string emit_backward_products(const KernelPlan& plan, const std::vector<FactorTerm>& factors) {
  const AttentionConfig& config = plan.config;
  std::set<int> columns = {whole_steps(config.head_dim), whole_steps(config.head_dim_v)};
  for (const FactorTerm& term : factors) columns.insert(whole_steps(term.rank));
  std::string text = "#include \"hopper/wgmma.cuh\"\n\n" + scores_product({plan.tile.columns_at_once, config.dtype});
  for (const int count : columns)
    text += "\n" + output_product("multiply_output", kOutput, {count, config.dtype}, true);
  return text;
}

}  // namespace flashbias::codegen
