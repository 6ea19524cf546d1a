#include <fmt/format.h>

#include "codegen/backward_bias_emitter.hpp"
#include "codegen/cuda_expression.hpp"

namespace flashbias::codegen {
namespace {

/// Tables whose gradients a thread block adds up on its own, before it adds them to those of the others.
constexpr int kMaxEntriesInSharedMemory = 4096;

constexpr const char* kScoresParameters =
    "const Parameters& p, const Block& block, const HeadTerms& head, const ColumnTerms<KeyTerms>& keys, int "
    "first_column, int q_start, int kv_start";

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

}  // namespace

/// The text of the struct, part by part.
struct ScoreGradientsText {
  std::string storage;
  std::string clear;
  std::string members;
  std::string initializers;
  std::string keep_row;
  std::string add;
  std::string put;
  std::string add_diagonals;
  std::string finish;
  std::string write;

  [[nodiscard]] std::string emit() const {
    return fmt::format(
        "// What is added up by entries of tables, and what belongs to each score alone.\n"
        "struct ScoreGradients {{\nstruct Storage {{\n{storage}\n__device__ __forceinline__ void clear() "
        "{{\n{clear}}}\n}};\n\n"
        "Storage& storage;\n{members}\n"
        "__device__ explicit ScoreGradients(Storage& shared) : storage(shared){initializers} {{}}\n"
        "// Of the warp's rows, before there are scores.\n"
        "__device__ __forceinline__ void keep_row(int slot, const QueryTerms& terms) {{\n{keep_row}}}\n"
        "__device__ __forceinline__ void add(float d_bias, float probability, {score}) {{\n{add}}}\n"
        "// Of all scores of a warp, one after another, what is then added up along diagonals.\n"
        "__device__ __forceinline__ void put(float d_bias, {score}, int tile, int column, int slot) {{\n{put}}}\n"
        "__device__ __forceinline__ void add_diagonals({scores}) {{\n{add_diagonals}}}\n"
        "// Once there are no more scores, before all threads wait for each other and write.\n"
        "__device__ __forceinline__ void finish(const Parameters& p, const Block& block) {{\n{finish}}}\n"
        "__device__ __forceinline__ void write(const Parameters& p, const Block& block) {{\n{write}}}\n}};\n\n",
        fmt::arg("storage", storage), fmt::arg("clear", clear), fmt::arg("members", members),
        fmt::arg("initializers", initializers), fmt::arg("keep_row", keep_row), fmt::arg("scores", kScoresParameters),
        fmt::arg("score", kScoreParameters), fmt::arg("add", add), fmt::arg("put", put),
        fmt::arg("add_diagonals", add_diagonals), fmt::arg("finish", finish), fmt::arg("write", write));
  }
};

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

std::string BackwardBias::add_to_entry(const InputSpec& table, const std::string& entry,
                                       const std::string& addend) const {
  return adds_in_shared_memory(table)
             ? fmt::format("atomicAdd(&storage.{}_sums[{}], {});\n", table.name, entry, addend)
             : fmt::format("{}.add(block.batch, block.head, 0, {}, {});\n", gradient_of(table.name), entry, addend);
}

/// Their layout (templates/backward/diagonal_addends.cuh and walked_addends.cuh).
int BackwardBias::rows_of_addends() const {
  if (!summed_read_) return 0;
  return summed_read_->difference ? 8 : 16;
}

int BackwardBias::words_beside_addends() const {
  constexpr int kRows = 16;
  constexpr int kRowsWithoutTerms = kRows / 4;  // an empty struct has one byte
  if (!summed_read_ || summed_read_->difference) return 0;
  return query_words() > 0 ? kRows * query_words() : kRowsWithoutTerms;
}

void BackwardBias::sum_up_diagonals(ScoreGradientsText& text) const {
  const Emitted& gradient = gradients_[summed_read_->gradient];
  text.members = fmt::format(
      "\n__device__ __forceinline__ auto add_to_entry(const Parameters& p, const Block& block) const {{\n"
      "return [&](int entry, float sum) {{ {} }};\n}}\n",
      add_to_entry(gradient.input, "entry", "sum"));
  text.initializers = ", addends(shared.addends)";
  text.put = with_value(gradient.values[summed_read_->value], [&](const std::string& value) {
    return fmt::format("addends.put(tile, column, slot, d_bias == 0.0f ? 0.0f : d_bias * ({}));\n", value);
  });
  if (summed_read_->difference) {
    text.storage = "DiagonalAddends::Storage addends;\n";
    text.members = "DiagonalAddends addends;\nEntrySum sum_of_entry;\n" + text.members;
    text.add_diagonals = fmt::format(
        "addends.sum_up([&](int diagonal, float sum) {{\nconst int q_index = q_start + max(-diagonal, 0);\n"
        "const int kv_index = kv_start + max(diagonal, 0);\n{}}});\n",
        with_value(*summed_read_->difference, [&](const std::string& entry) {
          return fmt::format("sum_of_entry.add({}, sum, add_to_entry(p, block));\n", clamped(entry, gradient.input));
        }));
    text.finish = "sum_of_entry.flush(add_to_entry(p, block));\n";
    return;
  }
  text.storage = "WalkedAddends<QueryTerms>::Storage addends;\n";
  text.members = "WalkedAddends<QueryTerms> addends;\n" + text.members;
  text.keep_row = "addends.keep_row(slot, terms);\n";
  text.add_diagonals = fmt::format(
      "addends.sum_up(\n[&](int of_row, int column) {{\nconst QueryTerms row = addends.terms_of_row(of_row);\n"
      "const KeyTerms key = keys.load(first_column + column);\n"
      "const int q_index = min(q_start + of_row, p.q_length - 1);\n"
      "const int kv_index = min(kv_start + column, p.kv_length - 1);\n{}}},\nadd_to_entry(p, block));\n",
      with_value(gradient.values[summed_read_->value + 1], [&](const std::string& entry) {
        return fmt::format("return {};\n", clamped(entry, gradient.input));
      }));
}

std::string BackwardBias::score_gradients() const {
  ScoreGradientsText text;
  if (summed_read_) sum_up_diagonals(text);
  for (std::size_t g = 0; g < gradients_.size(); ++g) {
    const InputSpec& input = gradients_[g].input;
    const std::vector<Expr>& values = gradients_[g].values;
    const std::string& name = input.name;
    if (input.kind == Op::pair_input) {
      text.add += with_value(values.front(), [&](const std::string& value) {
        return fmt::format("{}.add(block.batch, block.head, q_index, kv_index, d_bias * ({}));\n", gradient_of(name),
                           value);
      });
    }
    if (input.kind != Op::table) continue;
    for (std::size_t i = 0; i + 1 < values.size(); i += 2) {
      if (summed_read_->gradient == g && summed_read_->value == i) continue;
      text.add += with_value(values[i], [&](const std::string& value) {
        return with_value(values[i + 1], [&](const std::string& entry) {
          return add_to_entry(input, clamped(entry, input), fmt::format("d_bias * ({})", value));
        });
      });
    }
    if (!adds_in_shared_memory(input)) continue;
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
