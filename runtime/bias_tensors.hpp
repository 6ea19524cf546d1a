#pragma once

#include <cstdint>
#include <string>

#include "flashbias/plan.hpp"
#include "flashbias/tensor.hpp"
#include "runtime/problem_sizes.hpp"

/// The one rule by which a tensor serves as an input of a bias, for kernels and for the reference.
///
///   query_input   [B|1, Nq, H|1, dims]; trailing dimensions that are missing count as 1
///   key_input     [B|1, Nk, H|1, dims]; likewise
///   head_scalar   [B|1, H|1]; a leading dimension that is missing counts as 1
///   table         [B|1, H|1, entries]; likewise
///   pair_input    [B|1, H|1, Nq, Nk]; likewise
///
/// H counts query heads. The last dimension is contiguous, but for head scalars, whose strides are free.
namespace flashbias::runtime {

/// Size and stride of a dimension; a dimension that the tensor lacks is {1, 0}.
struct Dimension {
  std::int64_t size = 1;
  std::int64_t stride = 0;  ///< elements; 0 where size is 1, so that it broadcasts
};

/// The dimensions of a bias tensor by their meaning.
struct BiasDimensions {
  Dimension batch;
  Dimension head;
  Dimension row;    ///< query or key token; query row of a pair input
  Dimension inner;  ///< numbers of a token, entries of a table, keys of a pair input
};

/// Reads the dimensions off the tensor. Throws Error(invalid_argument) if it has more than the input can have.
[[nodiscard]] BiasDimensions dimensions_of(const InputSpec& spec, const TensorView& tensor);

/// Strides in elements, 0 where broadcast: what a kernel is given beside the pointer.
struct BiasStrides {
  std::int64_t batch = 0;
  std::int64_t head = 0;
  std::int64_t row = 0;
  friend bool operator==(const BiasStrides&, const BiasStrides&) = default;
};

/// Checks dtype, shape, strides and alignment. 16-bit tokens of several numbers are copied in pieces of up to 16
/// bytes: pointer and strides must be multiples of the largest power of two up to 16 that divides a token's bytes.
/// Throws Error(invalid_argument) that names the tensor, its actual shape, the shape expected and the fix.
[[nodiscard]] BiasStrides bind_bias_tensor(const InputSpec& spec, const TensorView& tensor, const ProblemSizes& sizes);

}  // namespace flashbias::runtime
