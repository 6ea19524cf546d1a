#include <fmt/format.h>

#include <algorithm>

#include "codegen/backward_bias_emitter.hpp"
#include "codegen/cuda_expression.hpp"
#include "codegen/rewrite.hpp"

namespace flashbias::codegen {
namespace {

std::string add_parameters() { return fmt::format("(float d_bias, float probability, {})", kScoreParameters); }

constexpr const char* kNothing =
    "struct {} {{\n__device__ void add{} {{}}\n__device__ void write(const Parameters& p, const Block& block, int {}, "
    "bool valid) {{}}\n}};\n\n";

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

std::string BackwardBias::query_gradients() const {
  std::string members;
  Addends addends;
  std::string write;
  for (const Emitted& gradient : gradients_) {
    const InputSpec& input = gradient.input;
    const std::string& name = input.name;
    for (const SummedRead& read : gradient.reads) {
      if (read.along != Along::row) continue;
      members += fmt::format("SumOverKeys {};\n", read.sum);
      addends.add(read.coefficient, fmt::format("{}.add(d_bias, probability, {{}});\n", read.sum));
      write +=
          fmt::format("{{\nconst float sum = {}.of_row(excess);\nif (valid && threadIdx.x % 4 == 0) {{\n{}}}\n}}\n",
                      read.sum, add_row_to_entry(input, read));
    }
    const bool is_scalar = input.kind == Op::head_scalar;
    if (!is_scalar && input.kind != Op::query_input) continue;
    members += fmt::format("SumOverKeys {}_sum[{}];\n", name, input.dims);
    for (std::size_t c = 0; c < gradient.components.size(); ++c)
      if (!is_zero(gradient.components[c]))
        addends.add(gradient.components[c], fmt::format("{}_sum[{}].add(d_bias, probability, {{}});\n", name, c));
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
    if (input.kind != Op::key_input) continue;
    members += fmt::format("float {}_sum[{}] = {{}};\n", input.name, input.dims);
    for (std::size_t c = 0; c < gradient.components.size(); ++c)
      if (!is_zero(gradient.components[c]))
        addends.add(gradient.components[c], fmt::format("{}_sum[{}] += d_bias * ({{}});\n", input.name, c));
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

std::string BackwardBias::emit_round_sums() const {
  std::string text;
  for (const InputSpec& input : wanted_) text += fmt::format("{}.round();\n", gradient_of(input.name));
  return fmt::format(
      "#include \"backward/exact_gradient.cuh\"\n\n__device__ __forceinline__ void round_sums(const Parameters& p) "
      "{{\n{}}}\n",
      text);
}

}  // namespace flashbias::codegen
