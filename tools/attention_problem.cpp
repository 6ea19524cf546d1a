#include "tools/attention_problem.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "flashbias/reference.hpp"

namespace flashbias::tools {
namespace {

using Random = std::mt19937_64;

/// Fills a block with numbers from `draw`, then repeats it: a large tensor costs a copy, not a draw a number. The
/// length of the block is a prime, so no two rows are alike.
template <class Draw>
HostTensor drawn_tensor(DType dtype, std::vector<std::int64_t> shape, Draw draw) {
  constexpr std::int64_t kBlock = 262'139;
  HostTensor tensor(dtype, std::move(shape));
  const auto drawn = std::min(tensor.elements(), kBlock);
  const TensorView view = tensor.view();
  for (std::int64_t i = 0; i < drawn; ++i) reference::write_element(view, i, draw());
  auto filled = static_cast<std::size_t>(drawn * size_of(dtype));
  while (filled < tensor.data.size()) {
    const auto more = std::min(filled, tensor.data.size() - filled);
    std::memcpy(tensor.data.data() + filled, tensor.data.data(), more);
    filled += more;
  }
  return tensor;
}

HostTensor normal_tensor(DType dtype, std::vector<std::int64_t> shape, Random& random, double deviation = 1) {
  std::normal_distribution<double> normal(0, deviation);
  return drawn_tensor(dtype, std::move(shape), [&] { return normal(random); });
}

HostTensor uniform_tensor(DType dtype, std::vector<std::int64_t> shape, const Range& range, Random& random) {
  std::uniform_real_distribution<double> uniform(range.low, range.high);
  return drawn_tensor(dtype, std::move(shape), [&] { return uniform(random); });
}

HostTensor alibi_slopes(DType dtype, std::int64_t heads) {
  HostTensor slopes(dtype, {heads});
  const TensorView view = slopes.view();
  for (std::int64_t h = 0; h < heads; ++h) {
    reference::write_element(view, h, std::exp2(-8 * static_cast<double>(h + 1) / static_cast<double>(heads)));
  }
  return slopes;
}

/// Numbers of a token. Reals are scaled so that an inner product of two tokens has variance 1.
HostTensor token_input(const InputSpec& spec, DType io_dtype, std::int64_t tokens, std::int64_t heads, Random& random) {
  constexpr int kLargestInteger = 127;
  const auto input_heads = spec.dtype == io_dtype ? heads : 1;
  std::vector<std::int64_t> shape{1, tokens, input_heads, spec.dims};
  if (spec.range) return uniform_tensor(spec.dtype, std::move(shape), *spec.range, random);
  if (spec.dtype == DType::u8) {
    std::bernoulli_distribution kept(0.9);
    return drawn_tensor(spec.dtype, std::move(shape), [&] { return kept(random) ? 1.0 : 0.0; });
  }
  if (spec.dtype == DType::i32) {
    std::uniform_int_distribution<int> integers(0, kLargestInteger);
    return drawn_tensor(spec.dtype, std::move(shape), [&] { return static_cast<double>(integers(random)); });
  }
  return normal_tensor(spec.dtype, std::move(shape), random, std::pow(spec.dims, -0.25));
}

HostTensor random_input(const InputSpec& spec, DType io_dtype, const Shape& shape, Random& random) {
  switch (spec.kind) {
    case Op::head_scalar:
      return spec.range ? uniform_tensor(spec.dtype, {shape.heads}, *spec.range, random)
                        : alibi_slopes(spec.dtype, shape.heads);
    case Op::query_input:
      return token_input(spec, io_dtype, shape.seqlen_q, shape.heads, random);
    case Op::key_input:
      return token_input(spec, io_dtype, shape.seqlen_k, shape.heads, random);
    case Op::table:
      return normal_tensor(spec.dtype, {1, shape.heads, spec.dims}, random);
    default:  // a pair input
      return normal_tensor(spec.dtype, {1, shape.heads, shape.seqlen_q, shape.seqlen_k}, random);
  }
}

}  // namespace

Shape shape_of(const AttentionProblem& problem) {
  return {.batch = problem.q.shape.at(0),
          .heads = problem.q.shape.at(2),
          .kv_heads = problem.k.shape.at(2),
          .seqlen_q = problem.q.shape.at(1),
          .seqlen_k = problem.k.shape.at(1)};
}

AttentionProblem random_problem(const KernelPlan& plan, const Shape& shape, std::uint64_t seed) {
  const auto& config = plan.config;
  Random random(seed);
  AttentionProblem problem{
      .q = normal_tensor(config.dtype, {shape.batch, shape.seqlen_q, shape.heads, config.head_dim}, random),
      .k = normal_tensor(config.dtype, {shape.batch, shape.seqlen_k, shape.kv_heads, config.head_dim}, random),
      .v = normal_tensor(config.dtype, {shape.batch, shape.seqlen_k, shape.kv_heads, config.head_dim_v}, random),
      .inputs = {}};
  for (const auto& spec : plan.inputs) {
    problem.inputs.emplace(spec.name, random_input(spec, config.dtype, shape, random));
  }
  return problem;
}

HostTensor random_d_out(const AttentionConfig& config, const Shape& shape, std::uint64_t seed) {
  Random random(seed + 1);  // other numbers than those of q
  return normal_tensor(config.dtype, {shape.batch, shape.seqlen_q, shape.heads, config.head_dim_v}, random);
}

}  // namespace flashbias::tools
