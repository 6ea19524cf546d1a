#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "codegen/inputs.hpp"
#include "flashbias/reference.hpp"
#include "tests/errors.hpp"
#include "tests/filled_tensor.hpp"

using namespace flashbias;
using namespace flashbias::bias;
using reference::Array;
using reference::Gradients;
using testing::FilledTensor;
using testing::message_of;
using testing::says;

namespace {

using Numbers = std::vector<double>;

/// A contiguous host tensor with the array's numbers.
FilledTensor tensor_of(const Array& array, DType dtype) {
  FilledTensor tensor(dtype, {static_cast<std::int64_t>(array.numbers.size())}, array.numbers);
  TensorView& view = tensor.view();
  view.rank = static_cast<int>(array.shape.size());
  std::int64_t stride = 1;
  for (std::size_t i = array.shape.size(); i-- > 0;) {
    view.shape[i] = array.shape[i];
    view.strides[i] = stride;
    stride *= array.shape[i];
  }
  return tensor;
}

struct Operand {
  DType dtype = DType::f32;
  Array array;
};

/// An attention problem that the tests may change number by number.
struct Problem {
  AttentionConfig config{.head_dim = 8};
  Operand q, k, v, dout;
  std::map<std::string, Operand> inputs{};
  double softmax_scale = 0.5;

  /// Calls action(q, k, v, dout, inputs) with host tensors.
  template <class Action>
  auto with_tensors(Action&& action) const {
    std::map<std::string, FilledTensor> storage;
    reference::Inputs views;
    for (const auto& [name, operand] : inputs) {
      const auto [at, _] = storage.emplace(name, tensor_of(operand.array, operand.dtype));
      views[name] = at->second;
    }
    return action(tensor_of(q.array, q.dtype), tensor_of(k.array, k.dtype), tensor_of(v.array, v.dtype),
                  tensor_of(dout.array, dout.dtype), views);
  }

  Gradients gradients(const std::optional<std::vector<std::string>>& names = {}) const {
    return with_tensors([&](const TensorView& tq, const TensorView& tk, const TensorView& tv, const TensorView& tdout,
                            const reference::Inputs& views) {
      return reference::gradients(config, tq, tk, tv, views, softmax_scale, tdout, names);
    });
  }

  /// sum(dout * out), whose gradients these are.
  double loss() const {
    std::vector<reference::Row> rows;
    const auto& shape = q.array.shape;
    for (std::int64_t b = 0; b < shape[0]; ++b) {
      for (std::int64_t i = 0; i < shape[1]; ++i) {
        for (std::int64_t h = 0; h < shape[2]; ++h) rows.push_back({.batch = b, .head = h, .q_index = i, .out = {}});
      }
    }
    with_tensors([&](const TensorView& tq, const TensorView& tk, const TensorView& tv, const TensorView&,
                     const reference::Inputs& views) {
      reference::attention(config, tq, tk, tv, views, softmax_scale, rows, 1);
    });
    double sum = 0;
    auto out_gradient = dout.array.numbers.begin();
    for (const reference::Row& row : rows) {
      for (const double number : row.out) sum += number * *out_gradient++;
    }
    return sum;
  }
};

/// Numbers of few bits, so that f32 holds them and what is a small step away exactly.
class RandomProblem {
 public:
  explicit RandomProblem(unsigned seed) : random_(seed) {}

  Problem operator()(const Expr& bias) {
    const std::int64_t B = 1 + below(2);
    const std::int64_t Nq = 1 + below(4);
    const std::int64_t Nk = 1 + below(5);
    const std::int64_t Hk = 1 + below(2);
    const std::int64_t H = Hk * (1 + below(3));
    const std::int64_t Dv = below(2) == 0 ? 8 : 16;
    Problem problem{.q = reals({B, Nq, H, 8}),
                    .k = reals({B, Nk, Hk, 8}),
                    .v = reals({B, Nk, Hk, Dv}),
                    .dout = reals({B, Nq, H, Dv})};
    problem.config.head_dim_v = static_cast<int>(Dv);
    problem.config.bias = bias;
    problem.config.causal = below(2) == 0;
    for (const InputSpec& spec : codegen::collect_inputs(bias, DType::f32))
      problem.inputs[spec.name] = input(spec, shape_of(spec, maybe_one(B), maybe_one(H), Nq, Nk));
    return problem;
  }

  /// 1 or -1 for each number.
  Numbers direction(std::size_t count) {
    Numbers result(count);
    for (double& number : result) number = below(2) == 0 ? 1 : -1;
    return result;
  }

 private:
  using Shape = std::vector<std::int64_t>;

  int below(int end) { return std::uniform_int_distribution(0, end - 1)(random_); }
  std::int64_t maybe_one(std::int64_t size) { return below(2) == 0 ? 1 : size; }

  static Shape shape_of(const InputSpec& spec, std::int64_t batch, std::int64_t heads, std::int64_t Nq,
                        std::int64_t Nk) {
    switch (spec.kind) {
      case Op::query_input:
        return {batch, Nq, heads, spec.dims};
      case Op::key_input:
        if (heads == 1 && spec.dims == 1) return {batch, Nk};
        return {batch, Nk, heads, spec.dims};
      case Op::pair_input:
        return batch == 1 ? Shape{heads, Nq, Nk} : Shape{batch, heads, Nq, Nk};
      case Op::table:
        return batch == 1 ? Shape{heads, spec.dims} : Shape{batch, heads, spec.dims};
      default:
        return batch == 1 ? Shape{heads} : Shape{batch, heads};
    }
  }

  Operand input(const InputSpec& spec, const Shape& shape) {
    Operand operand = reals(shape);
    operand.dtype = spec.dtype;
    if (spec.dtype != DType::f32) {
      for (double& number : operand.array.numbers) number = below(2);
    }
    return operand;
  }

  Operand reals(const Shape& shape) {
    Operand operand;
    operand.array.shape = shape;
    operand.array.numbers.resize(
        static_cast<std::size_t>(std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>())));
    for (double& number : operand.array.numbers) number = (below(257) - 128) / 64.0;
    return operand;
  }

  std::mt19937 random_;
};

Operand& operand(Problem& problem, const std::string& name) {
  if (name == "q") return problem.q;
  if (name == "k") return problem.k;
  return name == "v" ? problem.v : problem.inputs.at(name);
}

/// Derivative of the loss as the operand moves along the direction: two central differences, of which Richardson's
/// extrapolation leaves an error of fourth order in the step.
double along(Problem problem, const std::string& name, const Numbers& direction) {
  constexpr double kStep = 0x1p-9;
  Numbers& numbers = operand(problem, name).array.numbers;
  const Numbers start = numbers;
  const auto loss_at = [&](double step) {
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = start[i] + step * direction[i];
    return problem.loss();
  };
  const auto difference = [&](double step) { return (loss_at(step) - loss_at(-step)) / (2 * step); };
  return (4 * difference(kStep / 2) - difference(kStep)) / 3;
}

/// Biases that together have every kind of input, mask and table, smooth in their inputs.
std::vector<Expr> biases() {
  const Expr distance = abs(q_position() - kv_index());
  const Expr x = query_input("x", 2);
  const Expr y = key_input("y", 2);
  const auto t = [](const Expr& index) { return table("t", 5, index); };
  return {none(),
          alibi(),
          relative_position(2),
          t5_relative_position(8, 20),
          window_relative_position(2, 2),
          earth_relative_position(2, 1, 2),
          squared_distance(2, DistanceWeight::none),
          squared_distance(2, DistanceWeight::per_head),
          squared_distance(3, DistanceWeight::per_query),
          squared_distance(1, DistanceWeight::per_key),
          low_rank(3, DType::f32),
          dense(DType::f32),
          alibi() + key_padding_mask(),
          approximate(alibi(), 2, DType::f32),
          -exp(head_scalar("a")) * log(1.0 + distance),
          cos(dot(x, y)) * t(kv_index() - q_index()),
          t(q_index()) * t(kv_index()) + t(2 * kv_index() - 1),
          select(distance < 2, pair_input("p", DType::f32) * x[0], -infinity()),
          sqrt(1.0 + query_input("w") * query_input("w")) * key_input("m") * head_scalar("a"),
          atan2(dot(x, y), 2.0 + query_input("w") * query_input("w")) * head_scalar("a"),
          select(q_index() == 0, -infinity(), query_input("w") * key_input("m")),
          select(query_input("i", 1, DType::i32) == key_input("j", 1, DType::u8), dot(x * y, x - y), -infinity())};
}

/// One query and two keys whose scores are log 1 and log 3 up to the bias, so that P = {1/4, 3/4}.
Problem two_keys() {
  return {.q = {.array = {{1, 1, 1, 8}, {1, 0, 0, 0, 0, 0, 0, 0}}},
          .k = {.array = {{1, 2, 1, 8}, {0, 0, 0, 0, 0, 0, 0, 0, std::log(3.0), 0, 0, 0, 0, 0, 0, 0}}},
          .v = {.array = {{1, 2, 1, 8}, {0, 1, 0, 0, 0, 0, 0, 0, 4, 5, 0, 0, 0, 0, 0, 0}}},
          .dout = {.array = {{1, 1, 1, 8}, {1, 0, 0, 0, 0, 0, 0, 0}}},
          .softmax_scale = 1.0};
}

bool all_zero(const Numbers& numbers) {
  return std::ranges::all_of(numbers, [](double number) { return number == 0; });
}

}  // namespace

TEST_CASE("gradients of two keys, by hand") {
  Problem problem = two_keys();
  problem.config.bias = dense(DType::f32);
  problem.inputs["bias"] = {.array = {{1, 2}, {0, 0}}};
  const Gradients gradients = problem.gradients();
  // dP = {0, 4} and its mean is 3, so dS = {1/4 (0 - 3), 3/4 (4 - 3)}.
  CHECK(gradients.inputs.at("bias").shape == std::vector<std::int64_t>{1, 2});
  CHECK(gradients.inputs.at("bias").numbers[0] == doctest::Approx(-0.75).epsilon(1e-6));
  CHECK(gradients.inputs.at("bias").numbers[1] == doctest::Approx(0.75).epsilon(1e-6));
  CHECK(gradients.q.numbers[0] == doctest::Approx(0.75 * std::log(3.0)).epsilon(1e-6));
  CHECK(gradients.k.numbers[0] == doctest::Approx(-0.75).epsilon(1e-6));
  CHECK(gradients.k.numbers[8] == doctest::Approx(0.75).epsilon(1e-6));
  CHECK(gradients.v.numbers[0] == doctest::Approx(0.25).epsilon(1e-6));
  CHECK(gradients.v.numbers[8] == doctest::Approx(0.75).epsilon(1e-6));
  CHECK(gradients.v.numbers[1] == 0);
}

TEST_CASE("gradients agree with finite differences of the forward reference") {
  const std::vector<Expr> all = biases();
  std::map<std::string, int> not_zero;
  for (unsigned seed = 0; seed < 30 * all.size(); ++seed) {
    const Expr& bias = all[seed % all.size()];
    RandomProblem random(seed);
    const Problem problem = random(bias);
    CAPTURE(seed);
    CAPTURE(to_string(bias));
    const Gradients gradients = problem.gradients();
    const auto check = [&](const std::string& name, const Array& gradient) {
      CAPTURE(name);
      Problem copy = problem;
      REQUIRE(gradient.shape == operand(copy, name).array.shape);
      const Numbers direction = random.direction(gradient.numbers.size());
      const double expected = along(problem, name, direction);
      const double actual = std::inner_product(direction.begin(), direction.end(), gradient.numbers.begin(), 0.0);
      REQUIRE(std::abs(actual - expected) <= 1e-7 * (1 + std::abs(expected)));
      not_zero[std::to_string(seed % all.size()) + ' ' + name] += expected != 0 ? 1 : 0;
    };
    check("q", gradients.q);
    check("k", gradients.k);
    check("v", gradients.v);
    for (const auto& [name, gradient] : gradients.inputs) check(name, gradient);
  }
  for (const auto& named_count : not_zero) {
    CAPTURE(named_count.first);
    CHECK(named_count.second >= 5);
  }
}

TEST_CASE("every real input has a gradient unless some are named") {
  Problem problem = two_keys();
  problem.config.bias =
      select(key_input("mask", 1, DType::u8) == 0, -infinity(), 0.0) + head_scalar("a") + dense(DType::f32);
  problem.inputs["mask"] = {.dtype = DType::u8, .array = {{1, 2}, {1, 1}}};
  problem.inputs["a"] = {.array = {{1}, {0.5}}};
  problem.inputs["bias"] = {.array = {{1, 2}, {0, 0}}};
  const auto names = [](const Gradients& gradients) {
    std::vector<std::string> result;
    for (const auto& [name, gradient] : gradients.inputs) result.push_back(name);
    return result;
  };
  CHECK(names(problem.gradients()) == std::vector<std::string>{"a", "bias"});
  CHECK(names(problem.gradients(std::vector<std::string>{"bias"})) == std::vector<std::string>{"bias"});
  CHECK(names(problem.gradients(std::vector<std::string>{})).empty());
}

TEST_CASE("hidden keys have no gradients, whatever the derivative there") {
  Problem problem = two_keys();
  problem.config.bias = select(kv_index() == 0, -infinity(), 1.0) * exp(head_scalar("a"));
  problem.inputs["a"] = {.array = {{1}, {0.5}}};
  const Gradients gradients = problem.gradients();
  CHECK(gradients.inputs.at("a").numbers == Numbers{0});
  CHECK(gradients.v.numbers[0] == 0);
  CHECK(gradients.v.numbers[8] == 1);
}

TEST_CASE("fully masked rows and no keys give zeros") {
  Problem problem = two_keys();
  SUBCASE("by the keys") {
    problem.config.bias = key_padding_mask() + head_scalar("a");
    problem.inputs["key_padding_mask"] = {.dtype = DType::u8, .array = {{1, 2}, {0, 0}}};
  }
  SUBCASE("by the query") { problem.config.bias = select(q_index() == 0, -infinity(), 0.0) + head_scalar("a"); }
  SUBCASE("by an infinite query input") {
    problem.config.bias = query_input("w") + head_scalar("a");
    problem.inputs["w"] = {.array = {{1, 1}, {-std::numeric_limits<double>::infinity()}}};
  }
  SUBCASE("no keys") {
    problem.config.bias = head_scalar("a");
    problem.k.array = problem.v.array = {.shape = {1, 0, 1, 8}, .numbers = {}};
  }
  problem.inputs["a"] = {.array = {{1}, {0.5}}};
  const Gradients gradients = problem.gradients();
  CHECK(all_zero(gradients.q.numbers));
  CHECK(all_zero(gradients.k.numbers));
  CHECK(all_zero(gradients.v.numbers));
  for (const auto& [name, gradient] : gradients.inputs) CHECK(all_zero(gradient.numbers));
}

TEST_CASE("NaN in the gradient of the output stays in its row") {
  Problem problem = RandomProblem(4)(alibi());
  problem.config.causal = false;
  const auto row = static_cast<std::size_t>(problem.dout.array.shape[3]);
  problem.dout.array.numbers[0] = std::nan("");
  const Gradients gradients = problem.gradients();
  CHECK(std::isnan(gradients.q.numbers[0]));
  REQUIRE(problem.dout.array.numbers.size() > row);
  for (std::size_t i = 8; i < gradients.q.numbers.size(); ++i) CHECK(std::isfinite(gradients.q.numbers[i]));
}

TEST_CASE("an infinite score makes its row NaN, as in the forward") {
  Problem problem = two_keys();
  problem.config.bias = dense(DType::f32);
  problem.inputs["bias"] = {.array = {{1, 2}, {std::numeric_limits<double>::infinity(), 0}}};
  CHECK(std::isnan(problem.loss()));
  const Gradients gradients = problem.gradients();
  CHECK(std::isnan(gradients.q.numbers[0]));
  CHECK(std::isnan(gradients.v.numbers[0]));
}

TEST_CASE("gradients are the same on every run and for any strides") {
  const Problem problem = RandomProblem(13)(squared_distance(2) + relative_position(2));
  REQUIRE(problem.k.array.shape[0] * problem.k.array.shape[2] == 4);  // heads that may be computed in any order
  const Gradients first = problem.gradients();
  const auto same = [&](const Gradients& other) {
    CHECK(other.q.numbers == first.q.numbers);
    CHECK(other.k.numbers == first.k.numbers);
    CHECK(other.v.numbers == first.v.numbers);
    for (const auto& [name, gradient] : first.inputs) CHECK(other.inputs.at(name).numbers == gradient.numbers);
  };
  for (int run = 0; run < 10; ++run) same(problem.gradients());

  // Heads outside tokens.
  const auto& shape = problem.dout.array.shape;
  Array moved{.shape = {shape[0], shape[2], shape[1], shape[3]}, .numbers = problem.dout.array.numbers};
  auto number = problem.dout.array.numbers.begin();
  for (std::int64_t b = 0; b < shape[0]; ++b) {
    for (std::int64_t i = 0; i < shape[1]; ++i) {
      for (std::int64_t h = 0; h < shape[2]; ++h, number += shape[3])
        std::copy_n(number, shape[3], moved.numbers.begin() + ((b * shape[2] + h) * shape[1] + i) * shape[3]);
    }
  }
  FilledTensor dout = tensor_of(moved, DType::f32);
  std::swap(dout.view().shape[1], dout.view().shape[2]);
  std::swap(dout.view().strides[1], dout.view().strides[2]);
  same(problem.with_tensors([&](const TensorView& q, const TensorView& k, const TensorView& v, const TensorView&,
                                const reference::Inputs& inputs) {
    return reference::gradients(problem.config, q, k, v, inputs, problem.softmax_scale, dout);
  }));
}

TEST_CASE("gradients that vanish beside the output suffer from its rounding") {
  Problem problem = two_keys();
  problem.config.bias = dense(DType::f32);
  problem.inputs["bias"] = {.array = {{1, 2}, {0, 20}}};
  const Gradients exact = problem.gradients();
  const FilledTensor d_q = tensor_of(exact.q, DType::f32);
  const auto errors = problem.with_tensors([&](const TensorView& q, const TensorView& k, const TensorView& v,
                                               const TensorView& dout, const reference::Inputs& inputs) {
    return reference::gradient_errors(problem.config, q, k, v, inputs, problem.softmax_scale, dout, {{"q", d_q}});
  });
  // The mean of dP is dout . out, which is 4, of which f16 keeps 11 bits; what it is subtracted from is nearly the
  // same.
  CHECK(std::abs(exact.q.numbers[0]) < 1e-7);
  CHECK(errors.front().inevitable > 0x1p-12);
  CHECK(errors.front().inevitable < 4 * std::log(3.0) * 0x1p-11);
}

TEST_CASE("errors of gradients are counted in what 16 bits cost") {
  Problem problem = two_keys();
  problem.config.bias = dense(DType::f32);
  problem.inputs["bias"] = {.array = {{1, 2}, {0, 0}}};
  const auto errors_of = [&](Array q, Array bias) {
    const FilledTensor d_q = tensor_of(q, DType::f32);
    const FilledTensor d_bias = tensor_of(bias, DType::f32);
    return problem.with_tensors([&](const TensorView& tq, const TensorView& tk, const TensorView& tv,
                                    const TensorView& tdout, const reference::Inputs& views) {
      return reference::gradient_errors(problem.config, tq, tk, tv, views, problem.softmax_scale, tdout,
                                        {{"q", d_q}, {"bias", d_bias}});
    });
  };
  const Gradients exact = problem.gradients();
  const auto none = errors_of(exact.q, exact.inputs.at("bias"));
  REQUIRE(none.size() == 2);
  CHECK(none[0].name == "bias");
  CHECK(none[1].name == "q");
  for (const auto& each : none) {
    CHECK(each.ratio() < 0.01);
    CHECK(each.inevitable > 0);
    CHECK(each.inevitable < 0x1p-9);  // gradients about 1, in f16
  }
  Array wrong = exact.q;
  wrong.numbers[0] += 0.125;
  const auto one = errors_of(wrong, exact.inputs.at("bias"));
  CHECK(one[0].ratio() < 0.01);
  CHECK(one[1].error == doctest::Approx(0.125).epsilon(1e-5));
  CHECK(one[1].ratio() > 3);
  wrong.numbers[0] = std::numeric_limits<double>::quiet_NaN();
  CHECK(std::isnan(errors_of(wrong, exact.inputs.at("bias"))[1].ratio()));
  CHECK(says(message_of(ErrorCode::invalid_argument,
                        [&] {
                          (void)errors_of(exact.q, {.shape = {2, 1}, .numbers = {0, 0}});
                        }),
             "the gradient of bias is f32 [2, 1]"));
}

TEST_CASE("gradients reject what does not fit") {
  const auto message = [](ErrorCode code, auto change, std::vector<std::string> names) {
    Problem problem = two_keys();
    change(problem);
    return message_of(code, [&] { (void)problem.gradients(names); });
  };
  CHECK(says(message(ErrorCode::invalid_argument,
                     [](Problem& p) {
                       p.dout.array.shape = {1, 1, 2, 4};
                     },
                     {}),
             "dout is f32 [1, 1, 2, 4]"));
  CHECK(says(message(ErrorCode::invalid_argument, [](Problem& p) { p.config.head_dim = 16; }, {}), "q is f32"));
  CHECK(says(message(ErrorCode::invalid_argument, [](Problem& p) { p.config.bias = alibi(); }, {"slopes"}),
             "bias input 'slopes' is missing"));
  CHECK(says(message(ErrorCode::invalid_config, [](Problem&) {}, {"slopes"}), "its inputs: none"));
  CHECK(says(message(ErrorCode::invalid_config,
                     [](Problem& p) {
                       p.config.bias = key_padding_mask();
                       p.inputs["key_padding_mask"] = {.dtype = DType::u8, .array = {{1, 2}, {1, 1}}};
                     },
                     {"key_padding_mask"}),
             "a key input of dtype u8; gradients exist for real inputs only: none"));
}
