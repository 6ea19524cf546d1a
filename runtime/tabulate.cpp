#include <fmt/format.h>

#include <algorithm>

#include "codegen/excerpt.hpp"
#include "codegen/inputs.hpp"
#include "codegen/rewrite.hpp"
#include "flashbias/decompose.hpp"
#include "flashbias/error.hpp"
#include "runtime/flat_bias.hpp"
#include "runtime/parallel_for.hpp"

namespace flashbias {
namespace {

BiasMatrices zeros(std::int64_t heads, std::int64_t q_length, std::int64_t kv_length) {
  if (std::min({heads, q_length, kv_length}) < 1) {
    throw Error(ErrorCode::invalid_argument,
                fmt::format("a bias of {} heads, {} queries and {} keys has nothing to decompose; each must be at "
                            "least 1",
                            heads, q_length, kv_length));
  }
  if (heads > kMaxDecomposedNumbers / q_length / kv_length) {
    throw Error(ErrorCode::invalid_argument,
                fmt::format("a bias of {} heads x {} queries x {} keys is more than the {} numbers that are decomposed "
                            "at a time; take fewer heads, or a shorter length",
                            heads, q_length, kv_length, kMaxDecomposedNumbers));
  }
  return {.heads = heads,
          .q_length = q_length,
          .kv_length = kv_length,
          .values = std::vector<double>(static_cast<std::size_t>(heads * q_length * kv_length))};
}

void require_one_matrix_a_head(const Expr& expr) {
  const bool is_number = expr.type().dims == 1 && expr.type().scalar != ScalarType::boolean;
  if (!is_number || codegen::any_node(expr, [](const ExprNode& node) { return node.op == Op::batch; })) {
    throw Error(ErrorCode::invalid_argument,
                fmt::format("`{}` ({}) cannot be tabulated: it must give one number a score, the same for all batch "
                            "items",
                            codegen::excerpt(to_string(expr)), to_string(expr.type())));
  }
}

/// Heads that the inputs tell apart. Throws for an input of several batch items.
std::int64_t heads_of(const Expr& expr, const reference::Inputs& inputs) {
  std::int64_t heads = 1;
  for (const InputSpec& spec : codegen::collect_inputs(expr, DType::f32)) {
    const TensorView& tensor = runtime::find_input(inputs, spec.name);
    const runtime::BiasDimensions dimensions = runtime::dimensions_of(spec, tensor);
    if (dimensions.batch.size != 1) {
      runtime::reject(fmt::format("bias input '{}'", spec.name), tensor,
                      "its batch dimension must be 1 to be tabulated; pass one batch item");
    }
    heads = std::max(heads, dimensions.head.size);
  }
  return heads;
}

}  // namespace

BiasMatrices bias_matrices(const TensorView& tensor) {
  if (tensor.rank != 2 && tensor.rank != 3)
    runtime::reject("bias", tensor, "it must have 2 dimensions, [Nq, Nk], or 3, [heads, Nq, Nk]");
  const auto q = static_cast<std::size_t>(tensor.rank - 2);
  BiasMatrices matrices = zeros(q == 1 ? tensor.shape[0] : 1, tensor.shape[q], tensor.shape[q + 1]);
  auto value = matrices.values.begin();
  for (std::int64_t h = 0; h < matrices.heads; ++h)
    for (std::int64_t i = 0; i < matrices.q_length; ++i)
      for (std::int64_t j = 0; j < matrices.kv_length; ++j) {
        const std::int64_t head_offset = q == 1 ? h * tensor.strides[0] : 0;
        *value++ = reference::read_element(tensor, head_offset + i * tensor.strides[q] + j * tensor.strides[q + 1]);
      }
  return matrices;
}

BiasMatrices tabulate(const Expr& expr, const reference::Inputs& inputs, std::int64_t q_length, std::int64_t kv_length,
                      std::int64_t heads) {
  require_one_matrix_a_head(expr);
  const std::int64_t heads_of_inputs = heads_of(expr, inputs);
  BiasMatrices matrices = zeros(heads == 0 ? heads_of_inputs : heads, q_length, kv_length);
  const runtime::ProblemSizes sizes{
      .batch = 1, .heads = matrices.heads, .kv_heads = matrices.heads, .q_length = q_length, .kv_length = kv_length};
  const runtime::FlatBias bias(expr, [&](const Expr& input) -> runtime::BoundInput {
    const TensorView& tensor = runtime::find_input(inputs, input.node().name);
    const InputSpec spec = codegen::input_spec(input, tensor.dtype);
    return {.tensor = tensor, .strides = runtime::bind_bias_tensor(spec, tensor, sizes)};
  });
  runtime::parallel_for(matrices.heads, [&](std::int64_t head) {
    runtime::BiasEvaluator evaluator(bias);
    double* value = matrices.values.data() + head * q_length * kv_length;
    for (std::int64_t i = 0; i < q_length; ++i) {
      evaluator.set_row({.head = head, .q_index = i, .q_length = q_length, .kv_length = kv_length});
      for (std::int64_t j = 0; j < kv_length; ++j) *value++ = evaluator.at(j);
    }
  });
  return matrices;
}

}  // namespace flashbias
