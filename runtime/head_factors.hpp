#pragma once

#include <Eigen/Core>
#include <vector>

#include "flashbias/decompose.hpp"

namespace flashbias::runtime {

using RowMajorMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using MatrixMap = Eigen::Map<const RowMajorMatrix>;

/// A matrix as q k^T, its columns in the order of the singular values, whose roots scale both sides.
class HeadFactors {
 public:
  HeadFactors() = default;
  /// All columns, by singular value decomposition.
  explicit HeadFactors(const MatrixMap& matrix);

  [[nodiscard]] const Eigen::MatrixXd& q() const { return q_; }
  [[nodiscard]] const Eigen::MatrixXd& k() const { return k_; }
  [[nodiscard]] int full_rank() const { return static_cast<int>(q_.cols()); }
  [[nodiscard]] std::vector<double> singular_values() const;

  /// Part of the squared singular values that the first `rank` columns keep.
  [[nodiscard]] double energy(int rank) const;
  /// The fewest columns, at least 1, that keep this part.
  [[nodiscard]] int rank_for_energy(double fraction) const;
  /// The first columns, rounded. Throws Error(invalid_argument) for a number beyond the dtype.
  [[nodiscard]] HeadFactors rounded(DType dtype, int rank) const;
  /// Of the first `rank` columns.
  [[nodiscard]] FactorError error(const MatrixMap& matrix, int rank) const;
  /// error(matrix, r).max_abs for r = 1 to the number of columns.
  [[nodiscard]] std::vector<double> max_abs_by_rank(const MatrixMap& matrix) const;

 private:
  /// Sum of the squared singular values behind the first `rank`, less those that are rounding of float64.
  [[nodiscard]] double tail(int rank) const;

  Eigen::MatrixXd q_;
  Eigen::MatrixXd k_;
  Eigen::VectorXd singular_values_;
};

}  // namespace flashbias::runtime
