#include "runtime/launch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

#include "codegen/parameters.hpp"
#include "flashbias/error.hpp"
#include "runtime/bias_tensors.hpp"
#include "runtime/problem_sizes.hpp"

namespace flashbias::runtime {
namespace {

/// Lengths up to here are exact as f32, the type of positions in bias expressions.
constexpr std::int64_t kMaxLength = std::int64_t{1} << 24;
constexpr std::int64_t kMaxBlocks = std::numeric_limits<std::int32_t>::max();
/// Width of the copies to shared memory, and so the alignment of whatever they read or write.
constexpr std::int64_t kAccessBytes = 16;
/// As many as fit beside the other parameters.
constexpr std::int64_t kMaxBiasInputs =
    (LaunchPlan::kMaxParameterBytes / sizeof(std::uint64_t) - std::size_t{4} * codegen::kTensorWords -
     codegen::kLogSumExpWords - sizeof(codegen::LaunchSizes) / sizeof(std::uint64_t)) /
    codegen::kTensorWords;

/// Appends the members of the kernel's parameter struct.
class ParameterWriter {
 public:
  explicit ParameterWriter(LaunchPlan& launch) : launch_(launch) {}

  template <typename... Values>
  void append(const Values&... values) {
    (append_one(values), ...);
  }

 private:
  template <typename Value>
  void append_one(const Value& value) {
    static_assert(std::is_trivially_copyable_v<Value>);
    std::memcpy(launch_.parameters.data() + launch_.parameter_bytes, &value, sizeof(Value));
    launch_.parameter_bytes += sizeof(Value);
  }

  LaunchPlan& launch_;
};

std::int64_t element_count(const TensorView& tensor) {
  std::int64_t count = 1;
  for (int i = 0; i < tensor.rank; ++i) count *= tensor.shape[static_cast<std::size_t>(i)];
  return count;
}

void require_dtype(std::string_view name, const TensorView& tensor, DType dtype) {
  if (tensor.dtype != dtype) [[unlikely]] {
    reject(name, tensor, fmt::format("its dtype must be {}", to_string(dtype)));
  }
}

void require_device(std::string_view name, const TensorView& tensor, int device) {
  if (tensor.device != device) [[unlikely]] {
    reject(name, tensor, fmt::format("it must be on device {}, that of the current CUDA context", device));
  }
}

void require_pointer(std::string_view name, const TensorView& tensor, std::int64_t alignment) {
  if (tensor.data == nullptr && element_count(tensor) != 0) [[unlikely]] {
    reject(name, tensor, "its pointer is null");
  }
  if (!is_aligned(reinterpret_cast<std::intptr_t>(tensor.data), alignment)) [[unlikely]] {
    reject(name, tensor,
           fmt::format("its address {} must be a multiple of {} bytes; copy it to memory of its own", tensor.data,
                       alignment));
  }
}

/// Strides of a tensor whose last dimension is contiguous and whose others start at multiples of `alignment` bytes.
void require_strides(std::string_view name, const TensorView& tensor, std::int64_t alignment) {
  const auto last = static_cast<std::size_t>(tensor.rank - 1);
  if (tensor.strides[last] != 1 && tensor.shape[last] > 1) [[unlikely]] {
    reject(name, tensor, "its last dimension must be contiguous (stride 1); make the tensor contiguous");
  }
  for (std::size_t i = 0; i < last; ++i) {
    if (tensor.shape[i] > 1 && !is_aligned(tensor.strides[i] * size_of(tensor.dtype), alignment)) [[unlikely]] {
      reject(name, tensor,
             fmt::format("its strides, but the last, must be multiples of {} bytes ({} elements)", alignment,
                         alignment / size_of(tensor.dtype)));
    }
  }
}

/// No two elements that the kernel writes may share an address.
void require_no_broadcast(std::string_view name, const TensorView& tensor) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(tensor.rank); ++i) {
    if (tensor.shape[i] > 1 && tensor.strides[i] == 0 && element_count(tensor) != 0) [[unlikely]] {
      reject(name, tensor, "it is written, so no stride of a dimension larger than 1 may be 0");
    }
  }
}

/// q, k, v and out, whose shapes have been checked.
void require_operand(std::string_view name, const TensorView& tensor, DType dtype, int device) {
  require_dtype(name, tensor, dtype);
  require_device(name, tensor, device);
  require_pointer(name, tensor, kAccessBytes);
  require_strides(name, tensor, kAccessBytes);
}

void require_log_sum_exp(const AttentionConfig& config, const AttentionArguments& arguments, const ProblemSizes& sizes,
                         int device) {
  if (arguments.log_sum_exp.has_value() != config.log_sum_exp) [[unlikely]] {
    throw Error(ErrorCode::invalid_argument,
                config.log_sum_exp
                    ? "log_sum_exp is missing: the config asks for it (log_sum_exp=true); give an f32 [B, H, Nq] tensor"
                    : "log_sum_exp is given, but the kernel does not write it: set log_sum_exp=true in the config");
  }
  if (!config.log_sum_exp) return;
  const TensorView& tensor = *arguments.log_sum_exp;
  require_shape("log_sum_exp", tensor, "[B, H, Nq]", {sizes.batch, sizes.heads, sizes.q_length});
  require_dtype("log_sum_exp", tensor, DType::f32);
  require_device("log_sum_exp", tensor, device);
  require_pointer("log_sum_exp", tensor, size_of(DType::f32));
  require_strides("log_sum_exp", tensor, size_of(DType::f32));
  require_no_broadcast("log_sum_exp", tensor);
}

std::string names_of(const KernelPlan& plan) {
  if (plan.inputs.empty()) return "none";
  std::string names;
  for (const InputSpec& spec : plan.inputs) names += fmt::format("{}'{}'", names.empty() ? "" : ", ", spec.name);
  return names;
}

/// The first input of that name; nullptr if there is none.
const BiasInput* find_input(std::span<const BiasInput> inputs, std::string_view name) {
  for (const BiasInput& input : inputs) {
    if (input.name == name) return &input;
  }
  return nullptr;
}

[[noreturn, gnu::cold]] void reject_missing(const KernelPlan& plan, std::string_view name) {
  throw Error(ErrorCode::invalid_argument,
              fmt::format("bias input '{}' is missing; the bias reads {}", name, names_of(plan)));
}

/// Names an input that was not bound: more are given than the bias reads, and all that it reads are there.
[[noreturn, gnu::cold]] void reject_surplus(const KernelPlan& plan, std::span<const BiasInput> inputs) {
  const auto reads = [&](std::string_view name) {
    return std::ranges::find(plan.inputs, name, &InputSpec::name) != plan.inputs.end();
  };
  const auto surplus = std::ranges::find_if(
      inputs, [&](const BiasInput& input) { return !reads(input.name) || find_input(inputs, input.name) != &input; });
  throw Error(ErrorCode::invalid_argument, reads(surplus->name)
                                               ? fmt::format("bias input '{}' is given twice", surplus->name)
                                               : fmt::format("bias input '{}' is not read by the bias, which reads {}",
                                                             surplus->name, names_of(plan)));
}

float softmax_scale(const KernelPlan& plan, const AttentionArguments& arguments) {
  const int head_dim = plan.config.head_dim;
  const float scale = arguments.softmax_scale.value_or(1.0F / std::sqrt(static_cast<float>(head_dim)));
  const auto [least, most] = plan.softmax_scale;
  if (!(scale >= least && scale <= most)) [[unlikely]] {
    throw Error(ErrorCode::invalid_argument,
                fmt::format("softmax_scale is {}: it must lie between {} and {}; leave it out for 1 / sqrt({}){}",
                            scale, least, most, head_dim,
                            most < KernelPlan{}.softmax_scale.high
                                ? ", or plan with lowering=registers, which is exact at more of them"
                                : ""));
  }
  return scale;
}

void require_at_most(const char* what, std::int64_t value, std::int64_t limit) {
  if (value > limit) [[unlikely]] {
    throw Error(ErrorCode::invalid_argument, fmt::format("{} is {}: at most {} are supported", what, value, limit));
  }
}

void require_declared(const char* length, const char* index, std::int64_t value, std::optional<std::int64_t> most) {
  if (most && value > *most) [[unlikely]] {
    throw Error(ErrorCode::invalid_argument,
                fmt::format("{} is {}, but the bias declares that {} stays below {}; declare a wider range", length,
                            value, index, *most));
  }
}

/// Blocks along the query length, once nothing overflows: not the sizes, not their product with it.
std::int64_t count_q_tiles(const KernelPlan& plan, const ProblemSizes& sizes) {
  require_at_most("the query length Nq", sizes.q_length, kMaxLength);
  require_at_most("the key length Nk", sizes.kv_length, kMaxLength);
  require_declared("Nq", "q_index", sizes.q_length, plan.max_q_length);
  require_declared("Nk", "kv_index", sizes.kv_length, plan.max_kv_length);
  require_at_most("the number of heads H", sizes.heads, kMaxBlocks);
  require_at_most("the batch size B", sizes.batch, kMaxBlocks);
  require_at_most("B * H", sizes.batch * sizes.heads, kMaxBlocks);
  const std::int64_t q_tiles = (sizes.q_length + plan.tile.block_q - 1) / plan.tile.block_q;
  require_at_most("B * H * ceil(Nq / block_q)", sizes.batch * sizes.heads * q_tiles, kMaxBlocks);
  return q_tiles;
}

void require_arguments(const AttentionConfig& config, const AttentionArguments& arguments, const ProblemSizes& sizes,
                       int device) {
  require_shape("out", arguments.out, "[B, Nq, H, Dv]",
                {sizes.batch, sizes.q_length, sizes.heads, arguments.v.shape[3]});
  require_operand("q", arguments.q, config.dtype, device);
  require_operand("k", arguments.k, config.dtype, device);
  require_operand("v", arguments.v, config.dtype, device);
  require_operand("out", arguments.out, config.dtype, device);
  require_no_broadcast("out", arguments.out);
  require_log_sum_exp(config, arguments, sizes, device);
}

/// Of the descriptors at the head of the parameters.
std::size_t tensor_map_bytes(const KernelPlan& plan) {
  if (plan.main_loop != MainLoop::hopper) return 0;
  return codegen::kTensorMapBytes *
         (codegen::kTensorMaps + codegen::kTensorMapsOfFactors * plan.fetched_factors.size());
}

void append_bias_inputs(ParameterWriter& parameters, const KernelPlan& plan, std::span<const BiasInput> inputs,
                        const ProblemSizes& sizes, int device) {
  constexpr std::size_t kInputBytes = codegen::kTensorWords * sizeof(std::uint64_t);
  require_at_most("the number of bias inputs", std::ssize(plan.inputs),
                  kMaxBiasInputs - static_cast<std::int64_t>(tensor_map_bytes(plan) / kInputBytes));
  for (const InputSpec& spec : plan.inputs) {
    const BiasInput* input = find_input(inputs, spec.name);
    if (input == nullptr) [[unlikely]]
      reject_missing(plan, spec.name);
    if (input->tensor.device != device) [[unlikely]] {
      require_device(fmt::format("bias input '{}'", spec.name), input->tensor, device);
    }
    const BiasStrides strides = bind_bias_tensor(spec, input->tensor, sizes);
    parameters.append(input->tensor.data, strides.batch, strides.head, strides.row);
  }
  if (inputs.size() != plan.inputs.size()) [[unlikely]]
    reject_surplus(plan, inputs);
}

}  // namespace

LaunchPlan prepare_launch(const KernelPlan& plan, const AttentionArguments& arguments, int device) {
  const ProblemSizes sizes = problem_sizes(plan.config, arguments.q, arguments.k, arguments.v);
  const std::int64_t q_tiles = count_q_tiles(plan, sizes);
  require_arguments(plan.config, arguments, sizes, device);

  LaunchPlan launch;
  const std::int64_t items_a_head = plan.tile.pairs_blocks ? (q_tiles + 1) / 2 : q_tiles;
  launch.blocks = static_cast<std::uint32_t>(sizes.batch * sizes.heads * items_a_head);
  launch.threads = static_cast<std::uint32_t>(plan.tile.warps * 32) +
                   (plan.main_loop == MainLoop::hopper ? codegen::kProducerThreads : 0);
  launch.shared_bytes = static_cast<std::uint32_t>(plan.shared_bytes);

  launch.parameter_bytes = tensor_map_bytes(plan);
  ParameterWriter parameters(launch);
  for (const TensorView* tensor : {&arguments.q, &arguments.k, &arguments.v, &arguments.out}) {
    parameters.append(tensor->data, tensor->strides[0], tensor->strides[1], tensor->strides[2]);
  }
  if (arguments.log_sum_exp) {
    parameters.append(arguments.log_sum_exp->data, arguments.log_sum_exp->strides[0],
                      arguments.log_sum_exp->strides[1]);
  }
  append_bias_inputs(parameters, plan, arguments.bias_inputs, sizes, device);
  const float scale = softmax_scale(plan, arguments);
  parameters.append(codegen::LaunchSizes{.heads = static_cast<std::int32_t>(sizes.heads),
                                         .heads_per_kv_head = static_cast<std::int32_t>(sizes.heads / sizes.kv_heads),
                                         .q_length = static_cast<std::int32_t>(sizes.q_length),
                                         .kv_length = static_cast<std::int32_t>(sizes.kv_length),
                                         .q_tiles = static_cast<std::int32_t>(q_tiles),
                                         .softmax_scale = scale,
                                         .inverse_softmax_scale = 1 / scale,
                                         .work_items = static_cast<std::int32_t>(launch.blocks)});
  return launch;
}

}  // namespace flashbias::runtime
