#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "codegen/backward_program.hpp"
#include "codegen/cuda_expression.hpp"
#include "codegen/hoisting.hpp"
#include "codegen/rewrite.hpp"

namespace flashbias::codegen {

inline const CudaScope kBackwardScope{.pairs_are_read_ahead = false};

/// What the main loop for Hopper makes of low-rank terms.
struct HopperFactors {
  bool keys_add_to_queries = false;
  bool join_operands = false;  ///< BackwardPass::joins_factors
};

/// Parameters of what is emitted for one score.
inline constexpr const char* kScoreParameters =
    "const Parameters& p, const Block& block, const HeadTerms& head, const QueryTerms& row, const KeyTerms& key, int "
    "q_index, int kv_index";

struct ScoreGradientsText;

/// What a score's bias is and what its gradient adds to.
class BackwardBias {
 public:
  BackwardBias(const AttentionConfig& config, const BackwardProgram& program);

  /// The text that takes the place of templates/backward/bias.cuh.
  [[nodiscard]] std::string emit() const;
  /// Of templates/backward/factors.cuh.
  [[nodiscard]] std::string emit_factors(bool keys_add_to_queries) const;
  /// Of templates/backward/factor_sums.cuh.
  [[nodiscard]] std::string emit_factor_sums() const;
  /// Of templates/backward/round_sums.cuh.
  [[nodiscard]] std::string emit_round_sums() const;
  /// Of templates/backward/hopper/factors.cuh.
  [[nodiscard]] std::string emit_hopper_factors(const HopperFactors& form) const;

  // 4-byte numbers in shared memory: of a query or key that is a column, of the keys that a query does not see, and of
  // all tables whose gradients are added up there.
  [[nodiscard]] int query_words() const { return static_cast<int>(hoisted_.row.size()); }
  [[nodiscard]] int key_words() const { return static_cast<int>(hoisted_.key.size()); }
  [[nodiscard]] int hidden_words() const { return sees_a_range_ ? 2 : 1; }
  [[nodiscard]] int table_entries() const;
  [[nodiscard]] bool has_diagonal() const { return !is_zero(hoisted_.bias.diagonal); }
  /// How many rows of addends a warp lays out in shared memory to sum up diagonals, and how many words beside them.
  [[nodiscard]] int rows_of_addends() const;
  [[nodiscard]] int words_beside_addends() const;
  [[nodiscard]] const std::vector<FactorTerm>& factor_terms() const { return factors_; }

 private:
  /// An input's gradient in terms of what is computed ahead: for each component {derivative}, for each read of a table
  /// {coefficient, index}.
  struct Emitted {
    InputSpec input;
    std::vector<Expr> values;
  };
  /// A read of a table whose addends are summed up along diagonals: the first whose index is constant on them, or else
  /// the first of all.
  struct SummedRead {
    std::size_t gradient = 0;
    std::size_t value = 0;           ///< its coefficient's place among the values of that, before its index
    std::optional<Expr> difference;  ///< the index where it is constant on diagonals: of q_index and kv_index alone
  };
  [[nodiscard]] static std::optional<SummedRead> find_summed_read(const BackwardProgram& program);
  [[nodiscard]] std::string includes() const;
  [[nodiscard]] std::string bias() const;
  [[nodiscard]] std::string query_gradients() const;
  [[nodiscard]] std::string key_gradients() const;
  [[nodiscard]] std::string score_gradients() const;
  void sum_up_diagonals(ScoreGradientsText& text) const;
  [[nodiscard]] std::string add_with_keys(const HopperFactors& form) const;
  [[nodiscard]] std::string query_factor_shares(const HopperFactors& form) const;
  [[nodiscard]] bool is_wanted(const std::string& input) const;
  [[nodiscard]] bool wants_factors() const;
  /// What addends of its gradient go to.
  [[nodiscard]] std::string gradient_of(const std::string& input) const;
  [[nodiscard]] bool adds_in_shared_memory(const InputSpec& table) const;
  [[nodiscard]] std::string add_to_entry(const InputSpec& table, const std::string& entry,
                                         const std::string& addend) const;

  Expr expression_;
  std::optional<SummedRead> summed_read_;
  HoistedScores hoisted_;  ///< without an index that is constant on diagonals
  std::vector<Emitted> gradients_;
  std::vector<FactorTerm> factors_;
  std::vector<InputSpec> wanted_;
  bool sees_a_range_;  ///< of keys; or else the first so many
  bool has_exact_sums_;
};

}  // namespace flashbias::codegen
