#pragma once

#include <cstdint>
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
  /// Where the index of a table's read stays the same: there addends are summed up, before they go to an entry.
  enum class Along : std::uint8_t {
    row,       ///< of the query alone; kept as typed
    column,    ///< of the key alone
    diagonal,  ///< of kv_index - q_index alone; kept as typed
    runs       ///< of both: it changes along diagonals, maybe seldom
  };
  [[nodiscard]] static Along along_of(const Expr& index);
  [[nodiscard]] static bool is_as_typed(Along along) { return along == Along::row || along == Along::diagonal; }
  /// A read of a table.
  struct SummedRead {
    Expr coefficient;
    Expr index;
    Along along;
    std::string sum;  ///< the name of what is kept of an entry's sum
  };
  /// An input's gradient in terms of what is computed ahead.
  struct Emitted {
    InputSpec input;
    std::vector<Expr> components;
    std::vector<SummedRead> reads;
  };
  [[nodiscard]] bool has_read(Along along) const;
  [[nodiscard]] std::string includes() const;
  [[nodiscard]] std::string bias() const;
  [[nodiscard]] std::string query_gradients() const;
  [[nodiscard]] std::string key_gradients() const;
  [[nodiscard]] std::string score_gradients() const;
  void sum_up(const Emitted& table, ScoreGradientsText& text) const;
  [[nodiscard]] static std::string sums_of(const InputSpec& table, const SummedRead& read);
  [[nodiscard]] std::string add_with_keys(const HopperFactors& form) const;
  [[nodiscard]] std::string query_factor_shares(const HopperFactors& form) const;
  [[nodiscard]] bool is_wanted(const std::string& input) const;
  [[nodiscard]] bool wants_factors() const;
  /// What addends of its gradient go to.
  [[nodiscard]] std::string gradient_of(const std::string& input) const;
  [[nodiscard]] static bool is_of_scores(const Emitted& gradient);
  [[nodiscard]] bool adds_in_shared_memory(const Emitted& gradient) const;
  [[nodiscard]] std::string add_to_entry(const Emitted& table) const;
  [[nodiscard]] std::string add_row_to_entry(const InputSpec& table, const SummedRead& read) const;

  Expr expression_;
  HoistedScores hoisted_;  ///< without indices as typed
  std::vector<Emitted> gradients_;
  std::vector<FactorTerm> factors_;
  std::vector<InputSpec> wanted_;
  bool sees_a_range_;  ///< of keys; or else the first so many
  bool has_exact_sums_;
};

}  // namespace flashbias::codegen
