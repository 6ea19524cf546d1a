#include "flashbias/decompose.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

#include "flashbias/error.hpp"
#include "runtime/head_factors.hpp"
#include "runtime/parallel_for.hpp"

namespace flashbias {
namespace {

using runtime::HeadFactors;
using runtime::MatrixMap;

[[noreturn]] void reject(const std::string& message) { throw Error(ErrorCode::invalid_argument, message); }

std::int64_t min_length(const BiasMatrices& matrices) { return std::min(matrices.q_length, matrices.kv_length); }

void require_matrices(const BiasMatrices& matrices) {
  const auto& [heads, q_length, kv_length, values] = matrices;
  const bool has_sizes =
      std::min({heads, q_length, kv_length}) >= 1 && heads <= kMaxDecomposedNumbers / q_length / kv_length;
  if (!has_sizes || values.size() != static_cast<std::size_t>(heads * q_length * kv_length)) {
    reject(
        fmt::format("a bias of {} numbers for {} heads x {} queries x {} keys cannot be decomposed; there must be "
                    "as many numbers as that, 1 to {}",
                    values.size(), heads, q_length, kv_length, kMaxDecomposedNumbers));
  }
  const auto bad = std::ranges::find_if_not(matrices.values, [](double value) { return std::isfinite(value); });
  if (bad == matrices.values.end()) return;
  const std::int64_t index = bad - matrices.values.begin();
  reject(
      fmt::format("the bias is {} at head {}, query {}, key {}; only finite numbers have a decomposition. Decompose "
                  "what is finite, and add masks as terms of their own",
                  *bad, index / matrices.kv_length / matrices.q_length, index / matrices.kv_length % matrices.q_length,
                  index % matrices.kv_length));
}

void require_choice(const RankChoice& choice, std::int64_t full_rank) {
  if (const auto* wanted = std::get_if<Energy>(&choice)) {
    if (wanted->fraction > 0 && wanted->fraction <= 1) return;
    reject(fmt::format("energy {}: it is the part of the squared singular values to keep, above 0 and at most 1",
                       wanted->fraction));
  }
  if (const auto* wanted = std::get_if<Tolerance>(&choice)) {
    if (wanted->max_abs > 0 && std::isfinite(wanted->max_abs)) return;
    reject(fmt::format("tolerance {}: it is the largest error of a score, above 0", wanted->max_abs));
  }
  const int rank = std::get<Rank>(choice).rank;
  if (rank >= 1 && rank <= full_rank) return;
  reject(fmt::format("rank {}: the bias has min(Nq, Nk) = {}, so 1 to {} are accepted", rank, full_rank, full_rank));
}

void require_dtype(DType dtype) {
  if (dtype == DType::f16 || dtype == DType::bf16 || dtype == DType::f32) return;
  reject(fmt::format("dtype {}: factors are f16, bf16 or f32", to_string(dtype)));
}

/// Writes one head's columns into factors [1, N, heads, rank].
void store(const Eigen::MatrixXd& columns, const TensorView& factors, std::int64_t head) {
  for (std::int64_t token = 0; token < columns.rows(); ++token)
    for (std::int64_t r = 0; r < columns.cols(); ++r)
      reference::write_element(factors, token * factors.strides[1] + head * factors.strides[2] + r, columns(token, r));
}

Eigen::MatrixXd load(const TensorView& factors, std::int64_t head) {
  Eigen::MatrixXd columns(factors.shape[1], factors.shape[3]);
  for (std::int64_t token = 0; token < columns.rows(); ++token)
    for (std::int64_t r = 0; r < columns.cols(); ++r)
      columns(token, r) = reference::read_element(factors, token * factors.strides[1] + head * factors.strides[2] + r);
  return columns;
}

/// The matrices and their full factorisations, head by head.
class Heads {
 public:
  Heads(const BiasMatrices& matrices, DType dtype)
      : matrices_(matrices), dtype_(dtype), factors_(static_cast<std::size_t>(matrices.heads)) {
    runtime::parallel_for(count(), [&](std::int64_t head) { of(head) = HeadFactors(matrix(head)); });
  }

  [[nodiscard]] int rank(const RankChoice& choice) const {
    if (const auto* wanted = std::get_if<Energy>(&choice)) return rank_for(*wanted);
    if (const auto* wanted = std::get_if<Tolerance>(&choice)) return rank_for(*wanted);
    return std::get<Rank>(choice).rank;
  }

  [[nodiscard]] Decomposition truncated(int rank) const {
    Decomposition result{.rank = rank,
                         .dtype = dtype_,
                         .heads = count(),
                         .q_length = matrices_.q_length,
                         .kv_length = matrices_.kv_length,
                         .q_data = {},
                         .k_data = {},
                         .by_head = std::vector<HeadDecomposition>(factors_.size())};
    const auto bytes = [&](std::int64_t length) {
      return std::vector<std::byte>(static_cast<std::size_t>(length * count() * rank * size_of(dtype_)));
    };
    result.q_data = bytes(result.q_length);
    result.k_data = bytes(result.kv_length);
    runtime::parallel_for(count(), [&](std::int64_t head) {
      const HeadFactors& factors = of(head);
      const HeadFactors rounded = factors.rounded(dtype_, rank);
      store(rounded.q(), result.q_factors(), head);
      store(rounded.k(), result.k_factors(), head);
      result.by_head[static_cast<std::size_t>(head)] = {.singular_values = factors.singular_values(),
                                                        .energy = factors.energy(rank),
                                                        .unrounded = factors.error(matrix(head), rank),
                                                        .rounded = rounded.error(matrix(head), rank)};
    });
    return result;
  }

 private:
  [[nodiscard]] std::int64_t count() const { return matrices_.heads; }
  [[nodiscard]] HeadFactors& of(std::int64_t head) { return factors_[static_cast<std::size_t>(head)]; }
  [[nodiscard]] const HeadFactors& of(std::int64_t head) const { return factors_[static_cast<std::size_t>(head)]; }
  [[nodiscard]] MatrixMap matrix(std::int64_t head) const {
    const std::int64_t size = matrices_.q_length * matrices_.kv_length;
    return {matrices_.values.data() + head * size, matrices_.q_length, matrices_.kv_length};
  }

  [[nodiscard]] int rank_for(const Energy& wanted) const {
    int rank = 1;
    for (const HeadFactors& factors : factors_) rank = std::max(rank, factors.rank_for_energy(wanted.fraction));
    return rank;
  }

  [[nodiscard]] int rank_for(const Tolerance& wanted) const {
    std::vector<std::vector<double>> errors(factors_.size());  // by head, then by rank - 1
    runtime::parallel_for(count(), [&](std::int64_t head) {
      const HeadFactors& factors = of(head);
      errors[static_cast<std::size_t>(head)] =
          factors.rounded(dtype_, factors.full_rank()).max_abs_by_rank(matrix(head));
    });
    double best = std::numeric_limits<double>::infinity();
    for (std::size_t rank = 1; rank <= errors.front().size(); ++rank) {
      double worst = 0;
      for (const std::vector<double>& of_head : errors) worst = std::max(worst, of_head[rank - 1]);
      if (worst <= wanted.max_abs) return static_cast<int>(rank);
      best = std::min(best, worst);
    }
    reject(
        fmt::format("tolerance {}: with factors in {} no rank comes closer than {:.3g} in every score; allow that, "
                    "or store them with more digits",
                    wanted.max_abs, to_string(dtype_), best));
  }

  const BiasMatrices& matrices_;
  DType dtype_;
  std::vector<HeadFactors> factors_;
};

template <class Part>
FactorError worst(const std::vector<HeadDecomposition>& by_head, Part part) {
  FactorError error;
  for (const HeadDecomposition& head : by_head) {
    error.relative_frobenius = std::max(error.relative_frobenius, (head.*part).relative_frobenius);
    error.max_abs = std::max(error.max_abs, (head.*part).max_abs);
  }
  return error;
}

/// A view of memory that belongs to a const object; TensorView has no const form.
TensorView view(const std::vector<std::byte>& data, const Decomposition& of, std::int64_t length) {
  return TensorView::contiguous(const_cast<std::byte*>(data.data()), of.dtype, {1, length, of.heads, of.rank}, -1);
}

}  // namespace

TensorView Decomposition::q_factors() const { return view(q_data, *this, q_length); }
TensorView Decomposition::k_factors() const { return view(k_data, *this, kv_length); }

double Decomposition::energy() const {
  double least = 1;
  for (const HeadDecomposition& head : by_head) least = std::min(least, head.energy);
  return least;
}

FactorError Decomposition::unrounded() const { return worst(by_head, &HeadDecomposition::unrounded); }
FactorError Decomposition::rounded() const { return worst(by_head, &HeadDecomposition::rounded); }

BiasMatrices without_row_means(BiasMatrices matrices) {
  require_matrices(matrices);
  for (auto row = matrices.values.begin(); row != matrices.values.end(); row += matrices.kv_length) {
    const auto end = row + matrices.kv_length;
    const double mean = std::accumulate(row, end, 0.0) / static_cast<double>(matrices.kv_length);
    const double magnitude = std::accumulate(row, end, 0.0, [](double sum, double x) { return sum + std::abs(x); });
    // What the mean's rounding leaves of a constant row would have a spectrum, too.
    const double rounding = magnitude * std::numeric_limits<double>::epsilon();
    std::for_each(row, end, [=](double& value) { value = std::abs(value - mean) <= rounding ? 0 : value - mean; });
  }
  return matrices;
}

Decomposition decompose(const BiasMatrices& matrices, const RankChoice& choice, DType dtype) {
  require_matrices(matrices);
  require_choice(choice, min_length(matrices));
  require_dtype(dtype);
  const Heads heads(matrices, dtype);
  return heads.truncated(heads.rank(choice));
}

BiasMatrices product_of_factors(const Decomposition& decomposition) {
  BiasMatrices product{.heads = decomposition.heads,
                       .q_length = decomposition.q_length,
                       .kv_length = decomposition.kv_length,
                       .values = {}};
  const std::int64_t size = product.q_length * product.kv_length;
  product.values.resize(static_cast<std::size_t>(product.heads * size));
  for (std::int64_t head = 0; head < product.heads; ++head) {
    const Eigen::MatrixXd q = load(decomposition.q_factors(), head);
    const Eigen::MatrixXd k = load(decomposition.k_factors(), head);
    Eigen::Map<runtime::RowMajorMatrix>(product.values.data() + head * size, product.q_length, product.kv_length) =
        q * k.transpose();
  }
  return product;
}

}  // namespace flashbias
