#include <fmt/format.h>

#include <algorithm>

#include "codegen/inputs.hpp"
#include "flashbias/error.hpp"
#include "flashbias/reference.hpp"
#include "runtime/flat_bias.hpp"

namespace flashbias::reference {
namespace {

using runtime::BiasDimensions;
using runtime::BoundInput;
using runtime::ProblemSizes;

/// Sizes in which the point lies, with as many batch items and heads as the tensor has.
ProblemSizes sizes_around(const Point& point, const BiasDimensions& dimensions) {
  return {.batch = std::max(dimensions.batch.size, point.batch + 1),
          .heads = std::max(dimensions.head.size, point.head + 1),
          .q_length = point.q_length,
          .kv_length = point.kv_length};
}

void require_inside(const Point& point) {
  const bool inside = std::min({point.batch, point.head, point.q_index, point.kv_index}) >= 0 &&
                      point.q_index < point.q_length && point.kv_index < point.kv_length;
  if (!inside) {
    throw Error(
        ErrorCode::invalid_argument,
        fmt::format("a bias input is read at batch {}, head {}, query {} of {}, key {} of {}: the point must lie "
                    "inside the problem",
                    point.batch, point.head, point.q_index, point.q_length, point.kv_index, point.kv_length));
  }
}

}  // namespace

double evaluate(const Expr& expr, const Point& point, const Inputs& inputs) {
  const auto bind = [&](const Expr& input) -> BoundInput {
    require_inside(point);
    const TensorView& tensor = runtime::find_input(inputs, input.node().name);
    const InputSpec spec = codegen::input_spec(input, tensor.dtype);
    const ProblemSizes sizes = sizes_around(point, runtime::dimensions_of(spec, tensor));
    return {.tensor = tensor, .strides = runtime::bind_bias_tensor(spec, tensor, sizes)};
  };
  const runtime::FlatBias bias(expr, bind);
  runtime::BiasEvaluator evaluator(bias);
  evaluator.set_row(point);
  return evaluator.at(point.kv_index);
}

}  // namespace flashbias::reference
