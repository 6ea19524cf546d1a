#include "runtime/input_gradients.hpp"

#include <algorithm>
#include <utility>

#include "codegen/derivative.hpp"
#include "codegen/rewrite.hpp"
#include "runtime/reference_problem.hpp"

namespace flashbias::runtime {
namespace {

TensorView made_contiguous(TensorView tensor) {
  std::int64_t stride = 1;
  for (auto i = static_cast<std::size_t>(tensor.rank); i-- > 0;) {
    tensor.strides[i] = stride;
    stride *= tensor.shape[i];
  }
  return tensor;
}

std::size_t count(const std::vector<std::int64_t>& shape) {
  std::int64_t numbers = 1;
  for (const std::int64_t size : shape) numbers *= size;
  return static_cast<std::size_t>(numbers);
}

}  // namespace

InputGradients::InputGradients(const AttentionConfig& config, const std::optional<std::vector<std::string>>& names,
                               const reference::Inputs& inputs, const ProblemSizes& sizes) {
  std::vector<Expr> expressions;
  for (const std::string& name : names ? *names : codegen::differentiable_inputs(config.bias)) {
    const InputSpec spec = codegen::differentiable_input(config.bias, name, config.dtype);
    add_input(config, spec, find_input(inputs, name), expressions);
  }
  expressions_.emplace(expressions, bind_inputs(config, inputs, sizes));
}

void InputGradients::add_input(const AttentionConfig& config, const InputSpec& spec, const TensorView& tensor,
                               std::vector<Expr>& expressions) {
  const std::size_t input = inputs_.size();
  const BiasDimensions dimensions = dimensions_of(spec, made_contiguous(tensor));
  inputs_.push_back(
      {.name = spec.name,
       .kind = spec.kind,
       .shape = {tensor.shape.begin(), tensor.shape.begin() + tensor.rank},
       .strides = {.batch = dimensions.batch.stride, .head = dimensions.head.stride, .row = dimensions.row.stride},
       .entries = dimensions.inner.size});
  const auto add = [&](const Expr& expression) {
    expressions.push_back(expression);
    return expressions.size() - 1;
  };
  if (spec.kind == Op::table) {
    for (const auto& [coefficient, index] : codegen::table_reads(config.bias, spec.name))
      derivatives_.push_back({.input = input, .expression = add(coefficient), .table_index = add(index)});
    return;
  }
  for (int component = 0; component < spec.dims; ++component) {
    const Expr derivative = codegen::derivative(config.bias, {.name = spec.name, .component = component});
    if (codegen::is_zero(derivative)) continue;
    derivatives_.push_back({.input = input, .expression = add(derivative), .component = component});
  }
}

std::map<std::string, reference::Array, std::less<>> InputGradients::zeros() const {
  std::map<std::string, reference::Array, std::less<>> arrays;
  for (const Input& input : inputs_)
    arrays[input.name] = {.shape = input.shape, .numbers = std::vector<double>(count(input.shape))};
  return arrays;
}

InputGradientSums::InputGradientSums(const InputGradients& gradients)
    : gradients_(gradients), evaluator_(*gradients.expressions_) {
  for (const InputGradients::Input& input : gradients.inputs_) sums_.emplace_back(count(input.shape));
}

void InputGradientSums::set_row(const reference::Point& row) {
  row_ = row;
  evaluator_.set_row(row);
}

void InputGradientSums::add(std::int64_t kv_index, double score_gradient) {
  evaluator_.set_key(kv_index);
  for (const InputGradients::Derivative& derivative : gradients_.derivatives_) {
    const auto to = static_cast<std::size_t>(offset(derivative, kv_index));
    sums_[derivative.input][to] += score_gradient * evaluator_.result(derivative.expression);
  }
}

std::int64_t InputGradientSums::offset(const InputGradients::Derivative& derivative, std::int64_t kv_index) const {
  const InputGradients::Input& input = gradients_.inputs_[derivative.input];
  const std::int64_t item = row_.batch * input.strides.batch + row_.head * input.strides.head;
  switch (input.kind) {
    case Op::query_input:
      return item + row_.q_index * input.strides.row + derivative.component;
    case Op::key_input:
      return item + kv_index * input.strides.row + derivative.component;
    case Op::pair_input:
      return item + row_.q_index * input.strides.row + kv_index;
    case Op::table: {
      const auto last = static_cast<double>(input.entries - 1);
      return item + static_cast<std::int64_t>(std::clamp(evaluator_.result(*derivative.table_index), 0.0, last));
    }
    default:
      return item;
  }
}

void InputGradientSums::add_to(std::map<std::string, reference::Array, std::less<>>& arrays) const {
  for (std::size_t i = 0; i < sums_.size(); ++i) {
    std::vector<double>& total = arrays.at(gradients_.inputs_[i].name).numbers;
    std::ranges::transform(total, sums_[i], total.begin(), std::plus<>());
  }
}

}  // namespace flashbias::runtime
