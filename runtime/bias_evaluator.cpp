#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <stdexcept>

#include "runtime/elements.hpp"
#include "runtime/flat_bias.hpp"

namespace flashbias::runtime {

void BiasEvaluator::set_row(const reference::Point& row) {
  point_ = row;
  for (const Instruction& instruction : bias_.per_row_) execute(instruction);
}

void BiasEvaluator::set_key(std::int64_t kv_index) {
  point_.kv_index = kv_index;
  for (const Instruction& instruction : bias_.per_score_) execute(instruction);
}

double BiasEvaluator::result(std::size_t expr) const {
  const auto& [index, type] = bias_.results_[expr];
  const Scalar value = values_[index];
  return type == ScalarType::real ? value.real : static_cast<double>(value.integer);
}

void BiasEvaluator::load(const Instruction& instruction) {
  const auto& [tensor, strides] = instruction.input;
  std::int64_t offset = point_.batch * strides.batch + point_.head * strides.head;
  switch (instruction.op) {
    case Op::query_input:
      offset += point_.q_index * strides.row;
      break;
    case Op::key_input:
      offset += point_.kv_index * strides.row;
      break;
    case Op::pair_input:
      offset += point_.q_index * strides.row + point_.kv_index;
      break;
    case Op::table:
      offset += std::clamp<std::int64_t>(values_[instruction.args[0]].integer, 0, instruction.integer - 1);
      break;
    default:
      break;
  }
  loaded_.resize(instruction.dims);
  read_elements(tensor.data, tensor.dtype, offset, loaded_);
  Scalar* result = &values_[instruction.result];
  for (std::size_t i = 0; i < instruction.dims; ++i) {
    if (instruction.operand == ScalarType::real) {
      result[i].real = loaded_[i];
    } else {
      result[i].integer = static_cast<std::int64_t>(loaded_[i]);
    }
  }
}

void BiasEvaluator::execute(const Instruction& instruction) {
  Scalar* const result = &values_[instruction.result];
  const Scalar* const a = &values_[instruction.args[0]];
  const Scalar* const b = &values_[instruction.args[1]];
  const std::size_t a_step = instruction.steps[0];
  const std::size_t b_step = instruction.steps[1];
  const std::size_t c_step = instruction.steps[2];

  const auto set_integer = [&](std::int64_t value) { result->integer = value; };
  // Applies a function of one or two numbers to each component, in the type of the operands.
  const auto reals = [&](auto function) {
    for (std::size_t i = 0; i < instruction.dims; ++i) {
      result[i].real = function(a[i * a_step].real, b[i * b_step].real);
    }
  };
  const auto integers = [&](auto function) {
    for (std::size_t i = 0; i < instruction.dims; ++i) {
      result[i].integer = function(a[i * a_step].integer, b[i * b_step].integer);
    }
  };
  const auto numbers = [&](auto function) {
    instruction.operand == ScalarType::real ? reals(function) : integers(function);
  };
  const auto compare = [&](auto function) {
    set_integer(instruction.operand == ScalarType::real ? function(a->real, b->real)
                                                        : function(a->integer, b->integer));
  };

  switch (instruction.op) {
    case Op::boolean_literal:
    case Op::integer_literal:
      return set_integer(instruction.integer);
    case Op::real_literal:
      result->real = instruction.real;
      return;
    case Op::q_index:
      return set_integer(point_.q_index);
    case Op::kv_index:
      return set_integer(point_.kv_index);
    case Op::q_length:
      return set_integer(point_.q_length);
    case Op::kv_length:
      return set_integer(point_.kv_length);
    case Op::head:
      return set_integer(point_.head);
    case Op::batch:
      return set_integer(point_.batch);
    case Op::head_scalar:
    case Op::query_input:
    case Op::key_input:
    case Op::pair_input:
    case Op::table:
      return load(instruction);
    case Op::negate:
      return numbers([](auto x, auto) { return -x; });
    case Op::add:
      return numbers(std::plus<>());
    case Op::subtract:
      return numbers(std::minus<>());
    case Op::multiply:
      return numbers(std::multiplies<>());
    case Op::divide:
      return instruction.operand == ScalarType::real
                 ? reals(std::divides<>())
                 : integers([](std::int64_t x, std::int64_t y) { return y == 0 ? 0 : x / y; });
    case Op::remainder:
      return integers([](std::int64_t x, std::int64_t y) { return y == 0 ? 0 : x % y; });
    case Op::minimum:
      return instruction.operand == ScalarType::real
                 ? reals([](double x, double y) { return std::fmin(x, y); })
                 : integers([](std::int64_t x, std::int64_t y) { return std::min(x, y); });
    case Op::maximum:
      return instruction.operand == ScalarType::real
                 ? reals([](double x, double y) { return std::fmax(x, y); })
                 : integers([](std::int64_t x, std::int64_t y) { return std::max(x, y); });
    case Op::absolute:
      return numbers([](auto x, auto) { return std::abs(x); });
    case Op::sqrt:
      return reals([](double x, double) { return std::sqrt(x); });
    case Op::exp:
      return reals([](double x, double) { return std::exp(x); });
    case Op::log:
      return reals([](double x, double) { return std::log(x); });
    case Op::sin:
      return reals([](double x, double) { return std::sin(x); });
    case Op::cos:
      return reals([](double x, double) { return std::cos(x); });
    case Op::atan2:
      return reals([](double y, double x) { return std::atan2(y, x); });
    case Op::to_real:
      for (std::size_t i = 0; i < instruction.dims; ++i) result[i].real = static_cast<double>(a[i].integer);
      return;
    case Op::less:
      return compare(std::less<>());
    case Op::less_equal:
      return compare(std::less_equal<>());
    case Op::equal:
      return compare(std::equal_to<>());
    case Op::logical_and:
      return set_integer(a->integer & b->integer);
    case Op::logical_or:
      return set_integer(a->integer | b->integer);
    case Op::logical_not:
      return set_integer(a->integer ^ 1);
    case Op::select: {
      const Scalar* const c = &values_[instruction.args[2]];
      for (std::size_t i = 0; i < instruction.dims; ++i) result[i] = a->integer != 0 ? b[i * b_step] : c[i * c_step];
      return;
    }
    case Op::dot: {
      Scalar sum{};
      if (instruction.operand == ScalarType::real) {
        sum.real = 0;
        for (std::size_t i = 0; i < instruction.operand_dims; ++i) sum.real += a[i].real * b[i].real;
      } else {
        sum.integer = 0;
        for (std::size_t i = 0; i < instruction.operand_dims; ++i) sum.integer += a[i].integer * b[i].integer;
      }
      *result = sum;
      return;
    }
    case Op::component:
    case Op::named:
      break;  // never instructions
  }
  throw std::logic_error("flashbias: an operation that the reference does not know");
}

}  // namespace flashbias::runtime
