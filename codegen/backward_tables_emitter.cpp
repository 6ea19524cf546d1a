#include <fmt/format.h>

#include <algorithm>

#include "codegen/backward_bias_emitter.hpp"
#include "codegen/cuda_expression.hpp"

namespace flashbias::codegen {
namespace {

/// Tables whose gradients a thread block adds up on its own, before it adds them to those of the others.
constexpr int kMaxEntriesInSharedMemory = 4096;

/// Parameters of what is emitted for all scores of a warp: their gradients, the terms of the lane's rows, where the
/// terms of the keys are, and the first query and key.
constexpr const char* kScoresParameters =
    "const DBias& d_bias, const Parameters& p, const Block& block, const HeadTerms& head, const QueryTerms "
    "(&rows)[kRowSlots], const ColumnTerms<KeyTerms>& keys, int first_column, int q_start, int kv_start";

/// What the value of an expression needs of a score's key and query, by its column and row in the warp.
constexpr const char* kKeyOfWarp =
    "const KeyTerms key = keys.load(first_column + column);\n"
    "const int kv_index = min(kv_start + column, p.kv_length - 1);\n";
constexpr const char* kQueryIndexOfWarp = "const int q_index = min(q_start + of_row, p.q_length - 1);\n";

/// A statement that uses the value of an expression, with what it needs before it.
template <class Use>
std::string with_value(const Expr& expr, const Use& use) {
  const CudaExpression code = to_cuda(expr, kBackwardScope);
  const std::string statement = use(code.value);
  return code.statements.empty() ? statement : fmt::format("{{\n{}{}}}\n", code.statements, statement);
}

std::string clamped(const std::string& entry, const InputSpec& table) {
  return fmt::format("min(max({}, 0), {})", entry, table.dims - 1);
}

/// What a score adds to a table's entry: a function of where the lane holds it.
std::string addend_of(const Expr& coefficient) {
  if (coefficient.op() == Op::real_literal && coefficient.node().real == 1) return "d_bias";
  return fmt::format(
      "[&](int tile, int column_of_lane, int slot) {{\n"
      "const float gradient = d_bias(tile, column_of_lane, slot);\n"
      "if (gradient == 0.0f) return 0.0f;  // where the bias is -infinity, the factor may be no number\n"
      "const QueryTerms& row = rows[slot];\nconst int of_row = row_of_slot(slot) % 16;\n"
      "const int column = column_of_tile(tile) + column_of_lane;\n{}{}{}}}",
      kKeyOfWarp, kQueryIndexOfWarp, with_value(coefficient, [](const std::string& value) {
        return fmt::format("return gradient * ({});\n", value);
      }));
}

}  // namespace

/// The text of the struct, part by part.
struct ScoreGradientsText {
  std::string storage;
  std::string clear;
  std::string members;
  std::string functions;
  std::string keep_row;
  std::string add;
  std::string add_together;
  std::string finish;
  std::string write;

  [[nodiscard]] std::string emit() const {
    return fmt::format(
        "// What is added up by entries of tables, and what belongs to each score alone.\n"
        "struct ScoreGradients {{\nstruct Storage {{\n{storage}\n__device__ __forceinline__ void clear() "
        "{{\n{clear}}}\n}};\n\n"
        "Storage& storage;\n{members}\n"
        "__device__ explicit ScoreGradients(Storage& shared) : storage(shared) {{}}\n{functions}"
        "// Of the warp's rows, before there are scores.\n"
        "__device__ __forceinline__ void keep_row(int slot, const QueryTerms& terms) {{\n{keep_row}}}\n"
        "__device__ __forceinline__ void add(float d_bias, float probability, {score}) {{\n{add}}}\n"
        "// Of all scores of a warp, what is summed up first where entries stay the same.\n"
        "template <class DBias>\n__device__ __forceinline__ void add_together({scores}) {{\n{add_together}}}\n"
        "// Once there are no more scores, before all threads wait for each other and write.\n"
        "__device__ __forceinline__ void finish(const Parameters& p, const Block& block) {{\n{finish}}}\n"
        "__device__ __forceinline__ void write(const Parameters& p, const Block& block) {{\n{write}}}\n}};\n\n",
        fmt::arg("storage", storage), fmt::arg("clear", clear), fmt::arg("members", members),
        fmt::arg("functions", functions), fmt::arg("keep_row", keep_row), fmt::arg("scores", kScoresParameters),
        fmt::arg("score", kScoreParameters), fmt::arg("add", add), fmt::arg("add_together", add_together),
        fmt::arg("finish", finish), fmt::arg("write", write));
  }
};

int BackwardBias::table_entries() const {
  int entries = 0;
  for (const Emitted& gradient : gradients_)
    if (adds_in_shared_memory(gradient)) entries += gradient.input.dims;
  return entries;
}

bool BackwardBias::is_of_scores(const Emitted& gradient) {
  return std::ranges::any_of(gradient.reads, [](const SummedRead& read) { return read.along != Along::row; });
}

/// In whatever order they come.
bool BackwardBias::adds_in_shared_memory(const Emitted& gradient) const {
  return is_of_scores(gradient) && !has_exact_sums_ && gradient.input.dims <= kMaxEntriesInSharedMemory;
}

std::string BackwardBias::add_to_entry(const Emitted& table) const {
  const std::string& name = table.input.name;
  const std::string statement = adds_in_shared_memory(table)
                                    ? fmt::format("atomicAdd(&storage.{}_sums[entry], sum);", name)
                                    : fmt::format("{}.add(block.batch, block.head, 0, entry, sum);", gradient_of(name));
  return fmt::format(
      "\n__device__ __forceinline__ auto add_to_{}(const Parameters& p, const Block& block) const {{\n"
      "return [&](int entry, float sum) {{ {} }};\n}}\n",
      name, statement);
}

std::string BackwardBias::add_row_to_entry(const InputSpec& table, const SummedRead& read) const {
  return with_value(read.index, [&](const std::string& index) {
    return fmt::format("{}.add(block.batch, block.head, 0, {}, sum);\n", gradient_of(table.name),
                       clamped(index, table));
  });
}

// What warps lay out: templates/backward/diagonal_addends.cuh and walked_addends.cuh.

int BackwardBias::rows_of_addends() const {
  return (has_read(Along::diagonal) ? 8 : 0) + (has_read(Along::runs) ? 16 : 0);
}

int BackwardBias::words_beside_addends() const {
  constexpr int kRows = 16;
  constexpr int kRowsWithoutTerms = kRows / 4;  // an empty struct has one byte
  if (!has_read(Along::runs)) return 0;
  return query_words() > 0 ? kRows * query_words() : kRowsWithoutTerms;
}

std::string BackwardBias::sums_of(const InputSpec& table, const SummedRead& read) {
  const std::string addend = addend_of(read.coefficient);
  const auto with_entry = [&](const char* use) {
    return with_value(read.index, [&](const std::string& index) {
      return fmt::format(fmt::runtime(use), fmt::arg("sum", read.sum), fmt::arg("table", table.name),
                         fmt::arg("entry", clamped(index, table)));
    });
  };
  constexpr const char* kAddToSum = "{sum}.add({entry}, sum, add_to_{table}(p, block));\n";
  switch (read.along) {
    case Along::row:
      break;  // query_gradients
    case Along::column:
      return fmt::format("sum_up_columns({}, [&](int column, float sum) {{\n{}{}}});\n", addend, kKeyOfWarp,
                         with_entry(kAddToSum));
    case Along::diagonal:
      return fmt::format(
          "{{\nDiagonalAddends addends(storage.diagonal_addends);\naddends.put({});\n"
          "addends.sum_up([&](int diagonal, float sum) {{\nconst int q_index = q_start + max(-diagonal, 0);\n"
          "const int kv_index = kv_start + max(diagonal, 0);\n{}}});\n}}\n",
          addend, with_entry(kAddToSum));
    case Along::runs:
      return fmt::format(
          "{{\nWalkedAddends<QueryTerms> addends(storage.walked_addends);\naddends.put({});\naddends.sum_up(\n"
          "[&](int of_row, int column) {{\nconst QueryTerms row = addends.terms_of_row(of_row);\n{}{}{}}},\n"
          "add_to_{}(p, block));\n}}\n",
          addend, kKeyOfWarp, kQueryIndexOfWarp, with_entry("return {entry};\n"), table.name);
  }
  return "";
}

void BackwardBias::sum_up(const Emitted& table, ScoreGradientsText& text) const {
  for (const SummedRead& read : table.reads) {
    text.add_together += sums_of(table.input, read);
    if (read.along != Along::column && read.along != Along::diagonal) continue;
    text.members += fmt::format("EntrySum {};\n", read.sum);
    text.finish += fmt::format("{}.flush(add_to_{}(p, block));\n", read.sum, table.input.name);
  }
  if (is_of_scores(table)) text.functions += add_to_entry(table);
}

std::string BackwardBias::score_gradients() const {
  ScoreGradientsText text;
  if (has_read(Along::diagonal)) text.storage += "DiagonalAddends::Storage diagonal_addends;\n";
  if (has_read(Along::runs)) {
    text.storage += "WalkedAddends<QueryTerms>::Storage walked_addends;\n";
    text.keep_row = "WalkedAddends<QueryTerms>(storage.walked_addends).keep_row(slot, terms);\n";
  }
  for (const Emitted& gradient : gradients_) {
    const InputSpec& input = gradient.input;
    const std::string& name = input.name;
    if (input.kind == Op::pair_input) {
      text.add += with_value(gradient.components.front(), [&](const std::string& value) {
        return fmt::format("{}.add(block.batch, block.head, q_index, kv_index, d_bias * ({}));\n", gradient_of(name),
                           value);
      });
    }
    sum_up(gradient, text);
    if (!adds_in_shared_memory(gradient)) continue;
    const std::string each =
        fmt::format("for (int i = static_cast<int>(threadIdx.x); i < {}; i += kThreads)\n", input.dims);
    text.storage += fmt::format("float {}_sums[{}];\n", name, input.dims);
    text.clear += fmt::format("{}{}_sums[i] = 0.0f;\n", each, name);
    text.write +=
        fmt::format("{0}p.{1}_gradient.add(block.batch, block.head, 0, i, storage.{1}_sums[i]);\n", each, name);
  }
  return text.emit();
}

}  // namespace flashbias::codegen
