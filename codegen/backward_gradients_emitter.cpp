#include <fmt/format.h>

#include <algorithm>

#include "codegen/backward_bias_emitter.hpp"
#include "codegen/cuda_expression.hpp"
#include "codegen/rewrite.hpp"

namespace flashbias::codegen {
namespace {

/// Tables whose gradients a thread block adds up on its own, before it adds them to those of the others.
constexpr int kMaxEntriesInSharedMemory = 4096;

std::string parameters_of_score(const char* before, const char* behind) {
  return fmt::format(
      "({}, const Parameters& p, const Block& block, const HeadTerms& head, const QueryTerms& row, const KeyTerms& "
      "key, "
      "int q_index, int kv_index{})",
      before, behind);
}

std::string add_parameters() { return parameters_of_score("float d_bias, float probability", ""); }
std::string put_parameters() { return parameters_of_score("float d_bias", ", int slot, int column"); }

constexpr const char* kNothing =
    "struct {} {{\n__device__ void add{} {{}}\n__device__ void write(const Parameters& p, const Block& block, int {}, "
    "bool valid) {{}}\n}};\n\n";

/// A statement that uses the value of an expression, with what it needs before it.
template <class Use>
std::string with_value(const Expr& expr, const Use& use) {
  const CudaExpression code = to_cuda(expr, kBackwardScope);
  const std::string statement = use(code.value);
  return code.statements.empty() ? statement : fmt::format("{{\n{}{}}}\n", code.statements, statement);
}

/// What is added up of values that are evaluated together.
class Addends {
 public:
  /// The statement is a format of the value.
  void add(const Expr& value, std::string statement) {
    values_.push_back(value);
    statements_.push_back(std::move(statement));
  }
  [[nodiscard]] std::string text() const {
    const CudaExpressions code = to_cuda(values_, kBackwardScope);
    std::string text = code.statements;
    for (std::size_t i = 0; i < values_.size(); ++i) text += fmt::format(fmt::runtime(statements_[i]), code.values[i]);
    return text;
  }

 private:
  std::vector<Expr> values_;
  std::vector<std::string> statements_;
};

}  // namespace

int BackwardBias::table_entries() const {
  int entries = 0;
  for (const Emitted& gradient : gradients_)
    if (gradient.input.kind == Op::table && adds_in_shared_memory(gradient.input)) entries += gradient.input.dims;
  return entries;
}

/// In whatever order they come.
bool BackwardBias::adds_in_shared_memory(const InputSpec& table) const {
  return !has_exact_sums_ && table.dims <= kMaxEntriesInSharedMemory;
}

std::string BackwardBias::query_gradients() const {
  std::string members;
  Addends addends;
  std::string write;
  for (const Emitted& gradient : gradients_) {
    const InputSpec& input = gradient.input;
    const std::vector<Expr>& values = gradient.values;
    const bool is_scalar = input.kind == Op::head_scalar;
    if (!is_scalar && input.kind != Op::query_input) continue;
    const std::string& name = input.name;
    members += fmt::format("SumOverKeys {}_sum[{}];\n", name, input.dims);
    for (std::size_t c = 0; c < values.size(); ++c)
      if (!is_zero(values[c]))
        addends.add(values[c], fmt::format("{}_sum[{}].add(d_bias, probability, {{}});\n", name, c));
    write += is_scalar ? fmt::format(
                             "{{\nconst float row = {0}_sum[0].of_row(excess);\n"
                             "const float sum = sum_of_warp(valid && threadIdx.x % 4 == 0 ? row : 0.0f);\n"
                             "if (threadIdx.x % 32 == 0) {1}.add(block.batch, block.head, 0, 0, sum);\n}}\n",
                             name, gradient_of(name))
                       : fmt::format(
                             "#pragma unroll\nfor (int c = 0; c < {1}; ++c) {{\n"
                             "const float sum = {0}_sum[c].of_row(excess);\nif (valid && threadIdx.x % 4 == 0) "
                             "{2}.add(block.batch, block.head, q_index, c, sum);\n}}\n",
                             name, input.dims, gradient_of(name));
  }
  if (members.empty()) return fmt::format(kNothing, "QueryGradients", add_parameters(), "q_index");
  return fmt::format(
      "// What is summed up over the keys of a query.\nstruct QueryGradients {{\nfloat excess = 0.0f;\n{}\n"
      "__device__ __forceinline__ void add{} {{\nexcess += d_bias;\n{}}}\n__device__ __forceinline__ void "
      "write(const Parameters& p, const Block& block, int q_index, bool valid) {{\nexcess = sum_of_row(excess);\n"
      "{}}}\n}};\n\n",
      members, add_parameters(), addends.text(), write);
}

std::string BackwardBias::key_gradients() const {
  std::string members;
  Addends addends;
  std::string write;
  for (const Emitted& gradient : gradients_) {
    const InputSpec& input = gradient.input;
    const std::vector<Expr>& values = gradient.values;
    if (input.kind != Op::key_input) continue;
    members += fmt::format("float {}_sum[{}] = {{}};\n", input.name, input.dims);
    for (std::size_t c = 0; c < values.size(); ++c)
      if (!is_zero(values[c])) addends.add(values[c], fmt::format("{}_sum[{}] += d_bias * ({{}});\n", input.name, c));
    write += fmt::format(
        "#pragma unroll\nfor (int c = 0; c < {1}; ++c) {{\nconst float sum = sum_of_row({0}_sum[c]);\n"
        "if (valid && threadIdx.x % 4 == 0) {2}.add(block.batch, block.head, kv_index, c, sum);\n}}\n",
        input.name, input.dims, gradient_of(input.name));
  }
  if (members.empty()) return fmt::format(kNothing, "KeyGradients", add_parameters(), "kv_index");
  return fmt::format(
      "// What is summed up over the queries of a key.\nstruct KeyGradients {{\n{}\n__device__ __forceinline__ void "
      "add{} {{\n{}}}\n__device__ __forceinline__ void write(const Parameters& p, const Block& block, int kv_index, "
      "bool valid) {{\n{}}}\n}};\n\n",
      members, add_parameters(), addends.text(), write);
}

std::string BackwardBias::score_gradients() const {
  std::string storage;
  std::string clear;
  std::string add;
  std::string write;
  std::string put;
  std::string add_diagonals;
  for (std::size_t g = 0; g < gradients_.size(); ++g) {
    const InputSpec& input = gradients_[g].input;
    const std::vector<Expr>& values = gradients_[g].values;
    const std::string& name = input.name;
    if (input.kind == Op::pair_input) {
      add += with_value(values.front(), [&](const std::string& value) {
        return fmt::format("{}.add(block.batch, block.head, q_index, kv_index, d_bias * ({}));\n", gradient_of(name),
                           value);
      });
    } else if (input.kind == Op::table) {
      const bool is_shared = adds_in_shared_memory(input);
      const auto add_to_entry = [&](const Expr& index, const std::string& addend) {
        return with_value(index, [&](const std::string& entry) {
          const std::string clamped = fmt::format("min(max({}, 0), {})", entry, input.dims - 1);
          return is_shared
                     ? fmt::format("atomicAdd(&storage.{}_sums[{}], {});\n", name, clamped, addend)
                     : fmt::format("{}.add(block.batch, block.head, 0, {}, {});\n", gradient_of(name), clamped, addend);
        });
      };
      for (std::size_t i = 0; i + 1 < values.size(); i += 2) {
        if (diagonal_ && diagonal_->gradient == g && diagonal_->value == i) {
          put = with_value(values[i], [&](const std::string& value) {
            return fmt::format("storage.addends.put(slot, column, d_bias == 0.0f ? 0.0f : d_bias * ({}));\n", value);
          });
          add_diagonals = add_to_entry(diagonal_->index, "sum");
          continue;
        }
        add += with_value(values[i], [&](const std::string& value) {
          return add_to_entry(values[i + 1], fmt::format("d_bias * ({})", value));
        });
      }
      if (!is_shared) continue;
      const std::string each =
          fmt::format("for (int i = static_cast<int>(threadIdx.x); i < {}; i += kThreads)\n", input.dims);
      storage += fmt::format("float {}_sums[{}];\n", name, input.dims);
      clear += fmt::format("{}{}_sums[i] = 0.0f;\n", each, name);
      write += fmt::format("{0}p.{1}_gradient.add(block.batch, block.head, 0, i, storage.{1}_sums[i]);\n", each, name);
    }
  }
  if (diagonal_) {
    storage = "DiagonalAddends addends;\n" + storage;
    add_diagonals = fmt::format(
        "storage.addends.sum_up([&](int diagonal, float sum) {{\nconst int q_index = q_start + max(-diagonal, 0);\n"
        "const int kv_index = kv_start + max(diagonal, 0);\n{}}});\n",
        add_diagonals);
  }
  return fmt::format(
      "// What is added up by entries of tables, and what belongs to each score alone.\n"
      "struct ScoreGradients {{\nstruct Storage {{\n{}\n__device__ __forceinline__ void clear() {{\n{}}}\n}};\n\n"
      "Storage& storage;\n\n__device__ explicit ScoreGradients(Storage& shared) : storage(shared) {{}}\n"
      "__device__ __forceinline__ void add{} {{\n{}}}\n"
      "// Of all scores of a warp, one after another, what is then added up along diagonals.\n"
      "__device__ __forceinline__ void put{} {{\n{}}}\n"
      "__device__ __forceinline__ void add_diagonals(const Parameters& p, const Block& block, int q_start, int "
      "kv_start) "
      "{{\n{}}}\n"
      "__device__ __forceinline__ void write(const Parameters& p, const Block& block) {{\n{}}}\n}};\n\n",
      storage, clear, add_parameters(), add, put_parameters(), put, add_diagonals, write);
}

std::string BackwardBias::emit_round_sums() const {
  std::string text;
  for (const InputSpec& input : wanted_) text += fmt::format("{}.round();\n", gradient_of(input.name));
  return fmt::format(
      "#include \"backward/exact_gradient.cuh\"\n\n__device__ __forceinline__ void round_sums(const Parameters& p) "
      "{{\n{}}}\n",
      text);
}

}  // namespace flashbias::codegen
