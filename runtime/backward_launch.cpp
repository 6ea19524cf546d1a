#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "codegen/backward_planner.hpp"
#include "codegen/column_shares.hpp"
#include "codegen/gradients.hpp"
#include "codegen/parameters.hpp"
#include "flashbias/error.hpp"
#include "runtime/argument_checks.hpp"
#include "runtime/bias_arguments.hpp"
#include "runtime/bias_tensors.hpp"
#include "runtime/launch.hpp"
#include "runtime/parameter_writer.hpp"
#include "runtime/problem_sizes.hpp"

namespace flashbias::runtime {
namespace {

std::vector<std::string> names_of_gradients(const KernelPlan& plan) {
  const codegen::GradientNames wanted = codegen::gradient_names(plan.config);
  std::vector<std::string> names;
  if (wanted.q) names.emplace_back("q");
  if (wanted.k) names.emplace_back("k");
  if (wanted.v) names.emplace_back("v");
  for (const InputSpec& input : plan.input_gradients) names.push_back(input.name);
  return names;
}

const GradientOutput* find_gradient(std::span<const GradientOutput> gradients, std::string_view name) {
  const auto found = std::ranges::find(gradients, name, &GradientOutput::name);
  return found == gradients.end() ? nullptr : &*found;
}

/// Each that is asked for once, and no other.
void require_names(const KernelPlan& plan, std::span<const GradientOutput> gradients) {
  const std::vector<std::string> names = names_of_gradients(plan);
  const std::string list = fmt::format("{}", fmt::join(names, ", "));
  for (const std::string& name : names)
    if (find_gradient(gradients, name) == nullptr)
      throw Error(ErrorCode::invalid_argument,
                  fmt::format("the gradient of '{}' is missing; the kernel writes those of {}", name, list));
  for (const GradientOutput& gradient : gradients) {
    if (std::ranges::find(names, gradient.name) == names.end())
      throw Error(
          ErrorCode::invalid_argument,
          fmt::format("the gradient of '{}' is given, but the kernel writes those of {} alone", gradient.name, list));
    if (find_gradient(gradients, gradient.name) != &gradient)
      throw Error(ErrorCode::invalid_argument, fmt::format("the gradient of '{}' is given twice", gradient.name));
  }
}

/// Of q, k or v; a null tensor where it is not asked for.
TensorView operand_gradient(const BackwardArguments& arguments, const TensorView& operand, const char* name,
                            const AttentionConfig& config, int device) {
  const GradientOutput* gradient = find_gradient(arguments.gradients, name);
  if (gradient == nullptr) return {};
  const std::string title = fmt::format("the gradient of {}", name);
  require_shape(title, gradient->tensor, fmt::format("that of {}", name),
                {operand.shape[0], operand.shape[1], operand.shape[2], operand.shape[3]});
  require_operand(title, gradient->tensor, config.dtype, device);
  require_elements_apart(title, gradient->tensor);
  return gradient->tensor;
}

bool is_contiguous(const TensorView& tensor) {
  std::int64_t expected = 1;
  for (int i = tensor.rank - 1; i >= 0; --i) {
    const auto d = static_cast<std::size_t>(i);
    if (tensor.shape[d] > 1 && tensor.strides[d] != expected) return false;
    expected *= tensor.shape[d];
  }
  return true;
}

std::int64_t count_tiles(std::int64_t length, int rows) { return (length + rows - 1) / rows; }

BiasStrides append_input_gradient(ParameterWriter& parameters, const InputSpec& input,
                                  const BackwardArguments& arguments, const ProblemSizes& sizes, int device) {
  const TensorView& bound = find_input(arguments.bias_inputs, input.name)->tensor;
  const TensorView& tensor = find_gradient(arguments.gradients, input.name)->tensor;
  const std::string title = fmt::format("the gradient of bias input '{}'", input.name);
  if (tensor.rank != bound.rank ||
      !std::equal(bound.shape.begin(), bound.shape.begin() + bound.rank, tensor.shape.begin()))
    reject(title, tensor, fmt::format("it must have the shape of the input, which is {}", to_string(bound)));
  require_dtype(title, tensor, DType::f32);
  require_device(title, tensor, device);
  require_pointer(title, tensor, size_of(DType::f32));
  if (!is_contiguous(tensor)) reject(title, tensor, "it must be contiguous");
  InputSpec spec = input;
  spec.dtype = DType::f32;
  const BiasStrides strides = bind_bias_tensor(spec, tensor, sizes);
  parameters.append(tensor.data, strides.batch, strides.head, strides.row);
  return strides;
}

std::int64_t count_numbers(const TensorView& gradient) {
  return static_cast<std::int64_t>(size_in_bytes(gradient) / sizeof(float));
}

/// Of floats in the workspace.
struct Range {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// What is in the workspace, in floats: statistics of queries, then sums.
struct WorkspaceLayout {
  std::int64_t sums = 0;  ///< of d_q, if keys add to it, and then of inputs
  std::vector<Range> sums_of_inputs;
  std::int64_t end = 0;
};

/// Whether several warps add to a number of the gradient of an input.
bool is_shared(const InputSpec& input, const BiasStrides& strides, const ProblemSizes& sizes) {
  return input.kind == Op::table || input.kind == Op::head_scalar || (sizes.batch > 1 && strides.batch == 0) ||
         (sizes.heads > 1 && strides.head == 0);
}

WorkspaceLayout workspace_layout(const KernelPlan& plan, const BackwardArguments& arguments,
                                 const std::map<std::string, BiasStrides>& gradients, const ProblemSizes& sizes) {
  constexpr std::int64_t kAlignment = 4;  // of sums, which are cleared and added to four at a time
  const bool from_keys = codegen::adds_to_queries(plan);
  const codegen::ColumnShares shares = from_keys ? codegen::column_shares(plan) : codegen::ColumnShares{};
  const std::int64_t rows = count_tiles(sizes.q_length, plan.tile.block_q) * plan.tile.block_q;
  WorkspaceLayout layout;
  layout.sums = count_tiles(2 * sizes.batch * sizes.heads * sizes.q_length, kAlignment) * kAlignment;
  layout.end = layout.sums;
  if (from_keys) layout.end += sizes.batch * sizes.heads * rows * shares.columns_of_sums(plan.config.head_dim);
  for (const InputSpec* input : codegen::summed_inputs(plan)) {
    const BiasStrides& strides = gradients.at(input->name);
    std::int64_t floats = 0;
    if (from_keys)  // batch items and heads that share factors share their sums
      floats = (strides.batch == 0 ? 1 : sizes.batch) * (strides.head == 0 ? 1 : sizes.heads) * rows *
               shares.columns_of_sums(input->dims);
    else if (is_shared(*input, strides, sizes))
      floats = codegen::kFloatsOfExactSum * count_numbers(find_gradient(arguments.gradients, input->name)->tensor);
    layout.sums_of_inputs.push_back({layout.end, layout.end + floats});
    layout.end += floats;
  }
  return layout;
}

/// Threads that round a sum each, and then the next so many sums behind.
std::int64_t blocks_that_round(const WorkspaceLayout& layout) {
  constexpr std::int64_t kMost = 1024;
  return std::min(count_tiles(layout.end - layout.sums, codegen::kFloatsOfExactSum * codegen::kRowKernelThreads),
                  kMost);
}

/// Of each thread block.
struct StepSize {
  int threads = 0;
  int shared_bytes = 0;
};

constexpr StepSize kRowKernel{.threads = codegen::kRowKernelThreads};

/// Enters the steps of a launch, those that have something to do.
class StepWriter {
 public:
  explicit StepWriter(LaunchPlan& launch) : next_(launch.steps.begin()) {}

  void add(KernelRole role, std::int64_t blocks, const StepSize& size, std::int64_t first_block = 0) {
    require_at_most("the number of thread blocks", first_block + blocks, kMaxBlocks);
    if (blocks == 0) return;
    *next_++ = {.role = role,
                .blocks = static_cast<std::uint32_t>(blocks),
                .threads = static_cast<std::uint32_t>(size.threads),
                .shared_bytes = static_cast<std::uint32_t>(size.shared_bytes),
                .first_block = static_cast<std::uint32_t>(first_block)};
  }

 private:
  decltype(LaunchPlan::steps)::iterator next_;
};

void append_workspace(LaunchPlan& launch, ParameterWriter& parameters, const WorkspaceLayout& layout) {
  launch.workspace_bytes = static_cast<std::size_t>(layout.end) * sizeof(float);
  launch.workspace_parameter = launch.parameter_bytes;
  parameters.append(std::uint64_t{0});
  parameters.append(layout.sums);
  for (const Range& sums : layout.sums_of_inputs) parameters.append(sums.begin, sums.end);
  parameters.append(layout.end);
}

}  // namespace

LaunchPlan prepare_backward_launch(const KernelPlan& plan, const BackwardArguments& arguments, int device) {
  const AttentionConfig& config = plan.config;
  if (config.direction != Direction::backward)
    throw Error(ErrorCode::invalid_argument,
                "the kernel computes attention itself (direction=forward): use launch, with AttentionArguments");
  const ProblemSizes sizes = problem_sizes(config, arguments.q, arguments.k, arguments.v);
  require_sizes(plan, sizes);
  for (const auto& [name, tensor] : {std::pair{"out", &arguments.out}, {"d_out", &arguments.d_out}}) {
    require_shape(name, *tensor, "[B, Nq, H, Dv]", {sizes.batch, sizes.q_length, sizes.heads, arguments.v.shape[3]});
    require_operand(name, *tensor, config.dtype, device);
  }
  require_operand("q", arguments.q, config.dtype, device);
  require_operand("k", arguments.k, config.dtype, device);
  require_operand("v", arguments.v, config.dtype, device);
  require_log_sum_exp(arguments.log_sum_exp, sizes, device);
  require_names(plan, arguments.gradients);

  const bool is_hopper = plan.main_loop == MainLoop::hopper;
  const int rows = codegen::rows_owned(plan);
  const int threads = 32 * plan.tile.warps + (is_hopper ? codegen::kProducerThreads : 0);
  const std::int64_t query_blocks = sizes.batch * sizes.heads * count_tiles(sizes.q_length, rows);
  const std::int64_t key_blocks = sizes.batch * sizes.kv_heads * count_tiles(sizes.kv_length, rows);
  std::int64_t blocks_of_keys = 0;
  std::int64_t blocks_of_queries = 0;
  for (const BackwardPass& pass : plan.passes)
    (pass.owns_keys ? blocks_of_keys : blocks_of_queries) += pass.owns_keys ? key_blocks : query_blocks;
  const std::int64_t all_q_tiles = sizes.batch * sizes.heads * count_tiles(sizes.q_length, plan.tile.block_q);

  LaunchPlan launch;
  StepWriter steps(launch);
  const StepSize size{.threads = threads, .shared_bytes = plan.shared_bytes};
  const int rows_of_statistics = codegen::statistics_rows(config.head_dim_v);
  steps.add(KernelRole::statistics, sizes.batch * sizes.heads * count_tiles(sizes.q_length, rows_of_statistics),
            kRowKernel);
  steps.add(KernelRole::attention, blocks_of_keys, size);
  steps.add(KernelRole::attention, blocks_of_queries, size, blocks_of_keys);
  if (codegen::adds_to_queries(plan)) {
    const int threads_of_tile = 2 * plan.tile.block_q;  // a warp for 16 queries
    steps.add(KernelRole::sums, count_tiles(all_q_tiles, codegen::kRowKernelThreads / threads_of_tile), kRowKernel);
  }
  if (is_hopper)
    launch.parameter_bytes = codegen::kTensorMapBytes * (codegen::kBackwardTensorMaps +
                                                         codegen::kTensorMapsOfFactors * plan.fetched_factors.size());
  ParameterWriter parameters(launch);
  for (const TensorView* tensor : {&arguments.q, &arguments.k, &arguments.v, &arguments.out, &arguments.d_out})
    parameters.append_operand(*tensor);
  parameters.append_operand(operand_gradient(arguments, arguments.q, "q", config, device));
  parameters.append_operand(operand_gradient(arguments, arguments.k, "k", config, device));
  parameters.append_operand(operand_gradient(arguments, arguments.v, "v", config, device));
  parameters.append(arguments.log_sum_exp.data, arguments.log_sum_exp.strides[0], arguments.log_sum_exp.strides[1]);
  append_bias_inputs(parameters, plan, arguments.bias_inputs, sizes, device);
  std::map<std::string, BiasStrides> gradient_strides;
  for (const InputSpec& input : plan.input_gradients)
    gradient_strides.emplace(input.name, append_input_gradient(parameters, input, arguments, sizes, device));
  const WorkspaceLayout layout = workspace_layout(plan, arguments, gradient_strides, sizes);
  append_workspace(launch, parameters, layout);
  if (codegen::has_exact_sums(plan) && all_q_tiles > 0)
    steps.add(KernelRole::sums, blocks_that_round(layout), kRowKernel);
  const float scale = softmax_scale(plan, arguments.softmax_scale);
  parameters.append(
      codegen::BackwardSizes{.heads = static_cast<std::int32_t>(sizes.heads),
                             .heads_per_kv_head = static_cast<std::int32_t>(sizes.heads / sizes.kv_heads),
                             .q_length = static_cast<std::int32_t>(sizes.q_length),
                             .kv_length = static_cast<std::int32_t>(sizes.kv_length),
                             .q_tiles = static_cast<std::int32_t>(count_tiles(sizes.q_length, plan.tile.block_q)),
                             .kv_tiles = static_cast<std::int32_t>(count_tiles(sizes.kv_length, rows)),
                             .query_blocks = static_cast<std::int32_t>(query_blocks),
                             .key_blocks = static_cast<std::int32_t>(key_blocks),
                             .softmax_scale = scale,
                             .inverse_softmax_scale = 1 / scale,
                             .all_q_tiles = static_cast<std::int32_t>(all_q_tiles)});
  return launch;
}

void set_workspace(LaunchPlan& launch, CUdeviceptr workspace) {
  std::memcpy(launch.parameters.data() + launch.workspace_parameter, &workspace, sizeof(workspace));
}

void set_first_block(LaunchPlan& launch, std::uint32_t block) {
  static_assert(offsetof(codegen::BackwardSizes, first_block) + sizeof(block) == sizeof(codegen::BackwardSizes));
  std::memcpy(launch.parameters.data() + launch.parameter_bytes - sizeof(block), &block, sizeof(block));
}

}  // namespace flashbias::runtime
