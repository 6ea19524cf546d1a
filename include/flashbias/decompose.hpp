#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "flashbias/bias.hpp"
#include "flashbias/reference.hpp"
#include "flashbias/tensor.hpp"
#include "flashbias/types.hpp"

/// Numeric low-rank factorisation of a bias: the factors that `bias::approximate` stands for, and how far they are from
/// the bias.
///
///     const BiasMatrices bias = without_row_means(tabulate(bias::window_relative_position(24, 24), inputs, 576, 576));
///     const Decomposition found = decompose(bias, Energy{0.995});
///     config.bias = bias::approximate(bias::window_relative_position(24, 24), found.rank);
///
/// By Eckart and Young the truncated singular value decomposition is the best approximation of its rank. One of an N x
/// N matrix takes time in N^3; heads are decomposed side by side on all cores.
namespace flashbias {

/// Numbers that one decomposition takes, all heads together: 8 GiB of float64 with what is computed from them.
inline constexpr std::int64_t kMaxDecomposedNumbers = std::int64_t{1} << 27;

/// The bias of each head as a matrix: values[(h * q_length + i) * kv_length + j].
struct BiasMatrices {
  std::int64_t heads = 1;
  std::int64_t q_length = 0;
  std::int64_t kv_length = 0;
  std::vector<double> values{};
};

/// Copies a host tensor [Nq, Nk] or [heads, Nq, Nk] of any dtype and strides.
/// Throws Error(invalid_argument) for another rank, an empty tensor, or more than kMaxDecomposedNumbers.
[[nodiscard]] BiasMatrices bias_matrices(const TensorView& tensor);

/// Evaluates an expression in float64 at each head, query and key. `inputs` are those of reference::evaluate, for one
/// batch item; heads 0: as many as the inputs tell apart.
/// Throws Error(invalid_argument) for inputs that are missing or do not fit, and what bias_matrices throws.
[[nodiscard]] BiasMatrices tabulate(const Expr& expr, const reference::Inputs& inputs, std::int64_t q_length,
                                    std::int64_t kv_length, std::int64_t heads = 0);

/// Less each row's mean: what depends on the query alone, which the softmax ignores. Of all numbers a row may be moved
/// by, its mean leaves least to the factors: at no rank is their error larger, and the energy counts only what the
/// output depends on. A log-sum-exp does depend on the mean; where it is asked for, decompose the matrices as they are.
/// Throws Error(invalid_argument) for numbers that are not finite, or as many as the sizes say.
[[nodiscard]] BiasMatrices without_row_means(BiasMatrices matrices);

/// How many columns the factors have: the fewest for which every head ...
struct Rank {
  int rank = 1;  ///< ... has as many as asked for, 1 to min(Nq, Nk)
};
struct Energy {
  double fraction = 0.995;  ///< ... keeps this part of its squared singular values, in (0, 1]; 1 is its numerical rank
};
struct Tolerance {
  double max_abs = 0;  ///< ... has no score further off than this, rounding of the factors included; above 0
};
using RankChoice = std::variant<Rank, Energy, Tolerance>;

/// How far q_factors k_factors^T is from a matrix A.
struct FactorError {
  double relative_frobenius = 0;  ///< ||A - q k^T|| / ||A||; 0 where A is
  /// Of a score: where no score is off by more than e, no probability changes by more than a factor of exp(2 e).
  double max_abs = 0;
};

struct HeadDecomposition {
  std::vector<double> singular_values;  ///< min(Nq, Nk) of them, the largest first
  double energy = 1;                    ///< part of their squares that is kept
  FactorError unrounded;                ///< of factors in float64: the tail of the spectrum
  FactorError rounded;                  ///< of the factors as they are
};

struct Decomposition {
  int rank = 0;
  DType dtype = DType::f16;
  std::int64_t heads = 0;
  std::int64_t q_length = 0;
  std::int64_t kv_length = 0;
  std::vector<std::byte> q_data;  ///< [1, Nq, heads, rank], each column scaled by the root of its singular value
  std::vector<std::byte> k_data;  ///< [1, Nk, heads, rank], likewise
  std::vector<HeadDecomposition> by_head;  ///< [heads]

  /// The factors as inputs of a bias. They point into this object.
  [[nodiscard]] TensorView q_factors() const;
  [[nodiscard]] TensorView k_factors() const;
  /// Of the head that is served worst in each.
  [[nodiscard]] double energy() const;
  [[nodiscard]] FactorError unrounded() const;
  [[nodiscard]] FactorError rounded() const;
};

/// `dtype`: of the factors: f16, bf16 or f32.
/// Throws Error(invalid_argument) for matrices that are empty, too many or not finite, a rank, energy or tolerance out
/// of its range, a tolerance that no rank reaches in the dtype, and a factor beyond the dtype.
[[nodiscard]] Decomposition decompose(const BiasMatrices& matrices, const RankChoice& choice, DType dtype = DType::f16);

/// The matrices that factors stand for, in float64.
[[nodiscard]] BiasMatrices product_of_factors(const Decomposition& decomposition);

}  // namespace flashbias
