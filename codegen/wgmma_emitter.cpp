#include "codegen/wgmma_emitter.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>
#include <utility>
#include <vector>

#include "codegen/backward_planner.hpp"
#include "codegen/bias_program.hpp"
#include "codegen/column_shares.hpp"
#include "codegen/parameters.hpp"
#include "codegen/shared_layout.hpp"

namespace flashbias::codegen {
namespace {

/// Accumulators of an instruction: a parameter of 8-column tiles, some of them or all, or of a single one.
struct Accumulators {
  std::string name;
  int tiles = 1;
  bool single = false;
  int tiles_before = 0;
  int tiles_behind = 0;

  [[nodiscard]] std::string parameter() const {
    return single ? fmt::format("float (&{})[4]", name)
                  : fmt::format("float (&{})[{}][4]", name, tiles_before + tiles + tiles_behind);
  }
  [[nodiscard]] std::string element(int i) const {
    return single ? fmt::format("{}[{}]", name, i) : fmt::format("{}[{}][{}]", name, tiles_before + i / 4, i % 4);
  }
};

/// A wgmma of 64 rows and depth 16, into f32 accumulators one after the other.
class Wgmma {
 public:
  Wgmma(DType dtype, std::vector<Accumulators> accumulators) : dtype_(dtype), accumulators_(std::move(accumulators)) {}

  [[nodiscard]] int operands() const {
    int count = 0;
    for (const Accumulators& group : accumulators_) count += 4 * group.tiles;
    return count;
  }
  [[nodiscard]] std::string instruction() const {
    return fmt::format("wgmma.mma_async.sync.aligned.m64n{0}k16.f32.{1}.{1}", operands() / 4 * 8, to_string(dtype_));
  }
  [[nodiscard]] std::string parameters() const {
    std::vector<std::string> texts;
    for (const Accumulators& group : accumulators_) texts.push_back(group.parameter());
    return fmt::format("{}", fmt::join(texts, ", "));
  }
  /// `{%0, %1, ...}`, sixteen a line.
  [[nodiscard]] std::string destination() const {
    std::string text = "{";
    for (int i = 0; i < operands(); ++i) {
      text += fmt::format("%{}", i);
      if (i + 1 < operands()) text += i % 16 == 15 ? ", \"\n\"" : ", ";
    }
    return text + "}";
  }
  /// `"+f"(d[0][0]), ...`, a tile a line.
  [[nodiscard]] std::string outputs() const {
    std::vector<std::string> texts;
    for (const Accumulators& group : accumulators_)
      for (int i = 0; i < 4 * group.tiles; ++i) texts.push_back(fmt::format("\"+f\"({})", group.element(i)));
    return fmt::format("{}", fmt::join(texts, ", "));
  }

 private:
  DType dtype_;
  std::vector<Accumulators> accumulators_;
};

/// Where an operand lies: in registers, or how it runs along shared memory.
enum class Operand { registers, columns, rows };

/// The right operand is in shared memory.
std::string product(const char* name, const char* what, const Wgmma& wgmma, Operand left, Operand right) {
  const int first = wgmma.operands();
  const bool in_registers = left == Operand::registers;
  const int behind_left = first + (in_registers ? 4 : 1);
  const std::string left_operand = in_registers
                                       ? fmt::format("{{%{}, %{}, %{}, %{}}}", first, first + 1, first + 2, first + 3)
                                       : fmt::format("%{}", first);
  const std::string transposes = fmt::format("{}{}",
                                             in_registers            ? ""
                                             : left == Operand::rows ? "1, "
                                                                     : "0, ",
                                             right == Operand::rows ? 1 : 0);
  return fmt::format(
      "// d = (accumulate ? d : 0) + {}.\n"
      "__device__ __forceinline__ void {}({}, {}, unsigned long long b,\nbool accumulate) {{\n"
      "asm volatile(\n\"{{\\n\"\n\".reg .pred accumulate;\\n\"\n\"setp.ne.u32 accumulate, %{}, 0;\\n\"\n"
      "\"{} \"\n\"{}, \"\n\"{}, %{}, accumulate, 1, 1, {};\\n\"\n\"}}\"\n"
      ": {}\n: {}, \"l\"(b), \"r\"(static_cast<u32>(accumulate)));\n}}\n",
      what, name, wgmma.parameters(), in_registers ? "const u32 (&a)[4]" : "unsigned long long a", behind_left + 1,
      wgmma.instruction(), wgmma.destination(), left_operand, behind_left, transposes, wgmma.outputs(),
      in_registers ? R"("r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]))" : R"("l"(a))");
}

std::string scores_product(const Wgmma& wgmma) {
  return product("multiply_scores", "a b^T, with columns of a and b running along their rows in shared memory", wgmma,
                 Operand::columns, Operand::columns);
}

/// What is added to scores, in a type of its own.
std::string added_product(const char* name, DType dtype, int columns) {
  const Wgmma wgmma(dtype, {{"d", columns / 8}});
  const int first = wgmma.operands();
  return fmt::format(
      "// d += a b^T in {}, with columns of a and b running along their rows in shared memory.\n"
      "__device__ __forceinline__ void {}({}, unsigned long long a, unsigned long long b) {{\n"
      "asm volatile(\n\"{} \"\n\"{}, \"\n\"%{}, %{}, 1, 1, 1, 0, 0;\"\n"
      ": {}\n: \"l\"(a), \"l\"(b));\n}}\n\n",
      to_string(dtype), name, wgmma.parameters(), wgmma.instruction(), wgmma.destination(), first, first + 1,
      wgmma.outputs());
}

std::string output_product(const char* name, const char* what, const Wgmma& wgmma, bool transposed) {
  const int first = wgmma.operands();
  return fmt::format(
      "{}__device__ __forceinline__ void {}({}, const u32 (&a)[4], unsigned long long b) {{\n"
      "asm volatile(\n\"{} \"\n\"{}, \"\n\"{{%{}, %{}, %{}, %{}}}, %{}, 1, 1, 1, {};\"\n"
      ": {}\n: \"r\"(a[0]), \"r\"(a[1]), \"r\"(a[2]), \"r\"(a[3]), \"l\"(b));\n}}\n",
      what, name, wgmma.parameters(), wgmma.instruction(), wgmma.destination(), first, first + 1, first + 2, first + 3,
      first + 4, transposed ? 1 : 0, wgmma.outputs());
}

constexpr const char* kOutput = "// d += a b, with a in registers and the rows of b along those of shared memory.\n";

constexpr const char* kSharedOutput =
    "a b, with columns of a along its rows in shared memory, and rows of b along its own";
constexpr const char* kTransposed = "a^T b, with rows of a and b along those of shared memory";

int whole_steps(int columns) { return (columns + 15) / 16 * 16; }

/// Of operands with the factors behind them: into the gradients of keys and of queries.
std::string joined_products(const KernelPlan& plan, int rank, bool gradients_in_registers) {
  const AttentionConfig& config = plan.config;
  const ColumnShares shares = column_shares(plan);
  const Wgmma of_keys(config.dtype, {{"d", whole_steps(config.head_dim) / 8}, {"factors", whole_steps(rank) / 8}});
  const Wgmma of_queries(config.dtype, {{"d", shares.columns_of_share(config.head_dim) / 8},
                                        {"factors", shares.columns_of_share(rank) / 8}});
  return (gradients_in_registers
              ? output_product("multiply_output",
                               "// d += a b, with a in registers and the rows of b along those of shared memory, and\n"
                               "// factors likewise, with the columns behind.\n",
                               of_keys, true)
              : product("multiply_output", kSharedOutput, of_keys, Operand::columns, Operand::rows)) +
         "\n" + product("multiply_transposed", kTransposed, of_queries, Operand::rows, Operand::rows);
}

/// Into the output, and into the sums of probabilities.
std::string products_of_values(DType dtype, int head_dim_v) {
  const int tiles = whole_steps(head_dim_v) / 8;
  const int tiles_of_strip = strip_columns(head_dim_v) / 8;
  const Accumulators sums{.name = "sums", .single = true};
  const auto of_values = [&](const char* what, const Accumulators& values) {
    return output_product("multiply_output", what, Wgmma(dtype, {values}), true) + "\n";
  };
  const auto with_ones = [&](const char* what, const Accumulators& values) {
    return output_product("multiply_output", what, Wgmma(dtype, {values, sums}), true);
  };
  switch (place_of_ones(head_dim_v)) {
    case PlaceOfOnes::behind_values:
      return with_ones(
          "// d += a b and sums += a ones, with a in registers and the rows of b along those of\n"
          "// shared memory, ones behind them.\n",
          {.name = "d", .tiles = tiles});
    case PlaceOfOnes::behind_last_strip:
      return of_values(
                 "// d += a b but for the last strip of columns, with a in registers and the rows of b along those of\n"
                 "// shared memory.\n",
                 {.name = "d", .tiles = tiles - tiles_of_strip, .tiles_behind = tiles_of_strip}) +
             with_ones(
                 "// The last strip of columns of d += a b, and sums += a ones, which are behind it in shared "
                 "memory.\n",
                 {.name = "d", .tiles = tiles_of_strip, .tiles_before = tiles - tiles_of_strip});
    case PlaceOfOnes::apart:
      break;
  }
  return of_values(kOutput, {.name = "d", .tiles = tiles}) +
         output_product("multiply_ones", "// sums += a b, where all of b is alike.\n", Wgmma(dtype, {sums}), false);
}

}  // namespace

bool multiplies_slope(const KernelPlan& plan) {
  return plan.main_loop == MainLoop::hopper && plan.program->has_slope_alone();
}

std::string emit_products(const KernelPlan& plan) {
  const DType dtype = plan.config.dtype;
  const std::string scores = scores_product(Wgmma(dtype, {{"d", plan.tile.block_k / 8}}));
  std::string added;
  if (multiplies_slope(plan)) added += added_product("multiply_places", DType::bf16, plan.tile.block_k);
  if (const auto& split = plan.program->split_factors)
    added += added_product("multiply_parts", split->part, plan.tile.block_k);
  return "#include \"hopper/wgmma.cuh\"\n\n" + scores + "\n" + added +
         products_of_values(dtype, plan.config.head_dim_v);
}

std::string emit_backward_products(const KernelPlan& plan, const std::vector<FactorTerm>& factors) {
  const AttentionConfig& config = plan.config;
  std::set<int> columns = {whole_steps(config.head_dim), whole_steps(config.head_dim_v)};
  for (const FactorTerm& term : factors) columns.insert(whole_steps(term.rank));
  std::string text =
      "#include \"hopper/wgmma.cuh\"\n\n" + scores_product(Wgmma(config.dtype, {{"d", plan.tile.columns_at_once / 8}}));
  for (const int count : columns)
    text += "\n" + output_product("multiply_output", kOutput, Wgmma(config.dtype, {{"d", count / 8}}), true);
  if (!adds_to_queries(plan)) return text;
  const KeptInRegisters kept = kept_in_registers(plan);
  if (kept.rows)
    text += "\n" +
            product("multiply_scores", "a b^T, with a in registers and columns of b along its rows in shared memory",
                    Wgmma(config.dtype, {{"d", plan.tile.columns_at_once / 8}}), Operand::registers, Operand::columns);
  if (joins_factors(plan)) return text + "\n" + joined_products(plan, factors.front().rank, kept.gradients);
  std::set<int> summed = {config.head_dim};
  for (const FactorTerm& term : factors) summed.insert(term.rank);
  std::set<int> shares;
  for (const int count : summed) {
    shares.insert(column_shares(plan).columns_of_share(count));
    if (!kept.gradients)
      text += "\n" + product("multiply_output", kSharedOutput, Wgmma(config.dtype, {{"d", whole_steps(count) / 8}}),
                             Operand::columns, Operand::rows);
  }
  for (const int count : shares)
    text += "\n" + product("multiply_transposed", kTransposed, Wgmma(config.dtype, {{"d", count / 8}}), Operand::rows,
                           Operand::rows);
  return text;
}

}  // namespace flashbias::codegen
