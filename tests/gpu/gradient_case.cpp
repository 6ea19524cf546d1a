#include "tests/gpu/gradient_case.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <deque>
#include <map>
#include <random>

#include "codegen/gradients.hpp"
#include "flashbias/jit.hpp"
#include "tests/gpu/test_tensors.hpp"

namespace flashbias::testing {
namespace {

/// What a problem needs on the GPU, once the forward pass has run.
class Problem {
 public:
  explicit Problem(const AttentionCase& attention)
      : attention_(attention),
        kernel_(jit::get(attention.config)),
        forward_(jit::get(codegen::forward_of(attention.config))) {
    const AttentionConfig& config = kernel_.plan().config;
    const auto operand = [&](int length, int heads, int dim) {
      return allocate_tokens(config.dtype, attention.layout, attention.batch, length, heads, dim);
    };
    random_.seed(seeded(attention).seed);
    q = operand(attention.q_length, attention.heads, config.head_dim);
    k = operand(attention.kv_length, attention.kv_heads, config.head_dim);
    v = operand(attention.kv_length, attention.kv_heads, config.head_dim_v);
    out = operand(attention.q_length, attention.heads, config.head_dim_v);
    d_out = operand(attention.q_length, attention.heads, config.head_dim_v);
    fill(q, "q", attention, random_, normal(attention.score_spread));
    fill(k, "k", attention, random_, normal(1));
    fill(v, "v", attention, random_, normal(1));
    fill(d_out, "d_out", attention, random_, normal(1));
    for (Tensor* tensor : {&q, &k, &v, &out, &d_out}) upload(*tensor);
    bind_inputs();
    run_forward();
  }

  /// The gradients as they came, by name.
  std::map<std::string, Tensor> run() {
    std::map<std::string, Tensor> gradients;
    std::vector<GradientOutput> outputs;
    const auto ask = [&](const std::string& name, Tensor tensor) {
      if (!codegen::wants_gradient(attention_.config, name)) return;
      const auto& [at, _] = gradients.emplace(name, std::move(tensor));
      upload(at->second);
      at->second.buffer->fill(kPoison);
      outputs.push_back({at->first, at->second.device()});
    };
    for (const auto& [name, tensor] : {std::pair{"q", &q}, {"k", &k}, {"v", &v}}) ask(name, empty_like(*tensor));
    for (const InputSpec& input : kernel_.plan().input_gradients)
      ask(input.name, contiguous_f32(host_inputs_.at(input.name)));
    const BackwardArguments arguments{.q = q.device(),
                                      .k = k.device(),
                                      .v = v.device(),
                                      .out = out.device(),
                                      .log_sum_exp = log_sum_exp_view(),
                                      .d_out = d_out.device(),
                                      .bias_inputs = bound_,
                                      .gradients = outputs,
                                      .softmax_scale = scale()};
    kernel_.launch_backward(arguments, nullptr);
    for (auto& [name, gradient] : gradients) gradient.buffer->download(gradient.bytes.data());
    return gradients;
  }

  std::vector<reference::GradientError> errors_of(const std::map<std::string, Tensor>& gradients) const {
    reference::Inputs computed;
    for (const auto& [name, gradient] : gradients) computed.emplace(name, gradient.host);
    return reference::gradient_errors(kernel_.plan().config, q.host, k.host, v.host, host_inputs_, scale(), d_out.host,
                                      computed);
  }

 private:
  [[nodiscard]] float scale() const {
    return static_cast<float>(attention_.softmax_scale > 0 ? attention_.softmax_scale
                                                           : 1 / std::sqrt(attention_.config.head_dim));
  }
  [[nodiscard]] TensorView log_sum_exp_view() const {
    return TensorView::contiguous(log_sum_exp_->data(), DType::f32,
                                  {attention_.batch, attention_.heads, attention_.q_length});
  }

  void bind_inputs() {
    for (const InputSpec& input : kernel_.plan().inputs) {
      Tensor& tensor = inputs_.emplace_back(allocate_input(input, attention_));
      fill(tensor, input.name, attention_, random_, generator_of(input, attention_));
      upload(tensor);
      bound_.push_back({input.name, as_bound(input, tensor.device())});
      host_inputs_[input.name] = as_bound(input, tensor.host);
    }
  }

  void run_forward() {
    const std::size_t rows = static_cast<std::size_t>(attention_.batch) * static_cast<std::size_t>(attention_.heads) *
                             static_cast<std::size_t>(attention_.q_length);
    log_sum_exp_.emplace(rows * sizeof(float));
    AttentionArguments arguments{q.device(), k.device(), v.device(), out.device()};
    arguments.log_sum_exp = log_sum_exp_view();
    arguments.bias_inputs = bound_;
    arguments.softmax_scale = scale();
    forward_.launch(arguments, nullptr);
  }

  static Tensor empty_like(const Tensor& tensor) {
    Tensor copy;
    copy.bytes.resize(tensor.bytes.size());
    copy.host = tensor.host;
    copy.host.data = copy.bytes.data();
    return copy;
  }
  static Tensor contiguous_f32(const TensorView& view) {
    Tensor tensor;
    tensor.host = view;
    tensor.host.dtype = DType::f32;
    std::int64_t count = 1;
    for (int i = view.rank - 1; i >= 0; --i) {
      tensor.host.strides[static_cast<std::size_t>(i)] = count;
      count *= view.shape[static_cast<std::size_t>(i)];
    }
    tensor.bytes.resize(static_cast<std::size_t>(count) * sizeof(float));
    tensor.host.data = tensor.bytes.data();
    return tensor;
  }

  const AttentionCase& attention_;
  Kernel kernel_, forward_;
  std::mt19937_64 random_;
  Tensor q, k, v, out, d_out;
  std::optional<DeviceBuffer> log_sum_exp_;
  std::deque<Tensor> inputs_;
  std::vector<BiasInput> bound_;
  reference::Inputs host_inputs_;
};

}  // namespace

std::vector<reference::GradientError> run_gradients(const AttentionCase& attention) {
  Problem problem(attention);
  return problem.errors_of(problem.run());
}

bool gradients_repeat(const AttentionCase& attention, int times) {
  Problem problem(attention);
  const std::map<std::string, Tensor> first = problem.run();
  for (int i = 1; i < times; ++i)
    for (const auto& [name, gradient] : problem.run())
      if (gradient.bytes != first.at(name).bytes) return false;
  return true;
}

void check_gradients(const std::vector<AttentionCase>& cases) {
  compile_ahead(cases);
  for (const AttentionCase& unseeded : cases) {
    const AttentionCase attention = seeded(unseeded);
    CAPTURE(to_string(attention));
    CAPTURE(attention.seed);
    try {
      for (const reference::GradientError& gradient : run_gradients(attention)) {
        CAPTURE(gradient.name);
        CAPTURE(gradient.error);
        CAPTURE(gradient.inevitable);
        CHECK(gradient.ratio() <= gradient.accepted());
      }
    } catch (const std::exception& error) {
      FAIL_CHECK(std::string(error.what()));
    }
  }
}

}  // namespace flashbias::testing
