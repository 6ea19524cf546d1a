#include "runtime/head_factors.hpp"

#include <fmt/format.h>

#include <Eigen/SVD>
#include <algorithm>
#include <cmath>
#include <limits>

#include "flashbias/error.hpp"

namespace flashbias::runtime {
namespace {

double round_factor(DType dtype, double value) {
  const double rounded = reference::round_to(dtype, value);
  if (std::isfinite(rounded)) return rounded;
  throw Error(ErrorCode::invalid_argument,
              fmt::format("a factor of the bias is {:.3g}, beyond {}; choose bf16 or f32", value, to_string(dtype)));
}

}  // namespace

HeadFactors::HeadFactors(const MatrixMap& matrix) {
  const Eigen::BDCSVD<Eigen::MatrixXd> svd(matrix, Eigen::ComputeThinU | Eigen::ComputeThinV);
  if (svd.info() != Eigen::Success) {
    throw Error(ErrorCode::invalid_argument,
                "the singular value decomposition of the bias does not converge; scale its numbers to about 1");
  }
  singular_values_ = svd.singularValues();
  const auto roots = singular_values_.cwiseSqrt().asDiagonal();
  q_ = svd.matrixU() * roots;
  k_ = svd.matrixV() * roots;
}

std::vector<double> HeadFactors::singular_values() const { return {singular_values_.begin(), singular_values_.end()}; }

double HeadFactors::tail(int rank) const {
  const auto longest = static_cast<double>(std::max(q_.rows(), k_.rows()));
  const double rounding = longest * std::numeric_limits<double>::epsilon() * singular_values_[0];
  double sum = 0;
  for (Eigen::Index r = singular_values_.size() - 1; r >= rank; --r)  // the smallest first, to lose none
    if (singular_values_[r] > rounding) sum += singular_values_[r] * singular_values_[r];
  return sum;
}

double HeadFactors::energy(int rank) const {
  const double total = tail(0);
  return total == 0 ? 1 : 1 - tail(rank) / total;
}

int HeadFactors::rank_for_energy(double fraction) const {
  const double lost = (1 - fraction) * tail(0);
  int rank = 1;
  while (tail(rank) > lost) ++rank;
  return rank;
}

HeadFactors HeadFactors::rounded(DType dtype, int rank) const {
  const auto round = [dtype](double value) { return round_factor(dtype, value); };
  HeadFactors result;
  result.singular_values_ = singular_values_;
  result.q_ = q_.leftCols(rank).unaryExpr(round);
  result.k_ = k_.leftCols(rank).unaryExpr(round);
  return result;
}

FactorError HeadFactors::error(const MatrixMap& matrix, int rank) const {
  const Eigen::MatrixXd difference = matrix - q_.leftCols(rank) * k_.leftCols(rank).transpose();
  const double norm = matrix.norm();
  return {.relative_frobenius = norm == 0 ? 0 : difference.norm() / norm, .max_abs = difference.cwiseAbs().maxCoeff()};
}

std::vector<double> HeadFactors::max_abs_by_rank(const MatrixMap& matrix) const {
  Eigen::MatrixXd difference = matrix;
  std::vector<double> errors;
  for (Eigen::Index r = 0; r < q_.cols(); ++r) {
    difference.noalias() -= q_.col(r) * k_.col(r).transpose();
    errors.push_back(difference.cwiseAbs().maxCoeff());
  }
  return errors;
}

}  // namespace flashbias::runtime
