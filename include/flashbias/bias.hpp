#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flashbias/limits.hpp"
#include "flashbias/types.hpp"

/// The bias language: an expression of the query position i and the key position j (and of the head,
/// the batch item, per-token inputs, tables, ...) that gives the number added to the score
/// scale * dot(q_i, k_j) before the softmax.
///
///     using namespace flashbias;
///     Expr alibi  = -bias::head_scalar("slopes") * abs(bias::q_position() - bias::kv_index());
///     Expr window = select(abs(bias::q_index() - bias::kv_index()) < 128, 0.0, -bias::infinity());
///
/// Expressions are immutable values: cheap to copy, comparable, printable, and what is printed parses
/// back to an equal expression. Types and shapes are checked as the expression is built.
namespace flashbias {

enum class Op : std::uint8_t {
  // Literals.
  boolean_literal,
  integer_literal,
  real_literal,
  // Where the score is. All are integers.
  q_index,    ///< i, 0 <= i < Nq
  kv_index,   ///< j, 0 <= j < Nk
  q_length,   ///< Nq
  kv_length,  ///< Nk
  head,       ///< query head, 0 <= h < H
  batch,      ///< 0 <= b < B
  // Inputs, bound to tensors by name at launch. Those of dtype i32 and u8 are integers, all others reals.
  head_scalar,  ///< one number a head: [H] or [B|1, H]
  query_input,  ///< `dims` numbers a query token: [B|1, Nq, H|1, dims]
  key_input,    ///< `dims` numbers a key token: [B|1, Nk, H|1, dims]
  pair_input,   ///< one number a score: [B|1, H|1, Nq, Nk]
  table,        ///< args[0] indexes a [B|1, H|1, entries] tensor
  // Arithmetic. Operands are scalars or vectors of one length; a scalar applies to each component.
  negate,
  add,
  subtract,
  multiply,
  divide,     ///< integers: rounds toward zero
  remainder,  ///< integers only: sign of the dividend
  minimum,
  maximum,
  absolute,
  sqrt,
  exp,
  log,
  sin,
  cos,
  atan2,
  to_real,  ///< integer or boolean -> real; inserted where an integer meets a real
  // Comparisons (of scalars) and logic give booleans.
  less,
  less_equal,
  equal,
  logical_and,
  logical_or,
  logical_not,
  select,     ///< args[0] ? args[1] : args[2]
  component,  ///< one component of a vector: args[0][integer]
  dot,        ///< inner product of two vectors
  named,      ///< args[0], known to people as `name` (prints as that, means args[0])
};

enum class ScalarType : std::uint8_t { boolean, integer, real };

/// Type of an expression: a scalar (dims == 1) or a vector of `dims` components.
struct ValueType {
  ScalarType scalar = ScalarType::real;
  int dims = 1;
  friend bool operator==(const ValueType&, const ValueType&) = default;
};

[[nodiscard]] std::string to_string(ValueType type);

/// Bounds of the values of an input or an index, which its owner promises: low <= value <= high.
struct Range {
  double low = 0;
  double high = 0;
  friend bool operator==(const Range&, const Range&) = default;
};

struct ExprNode;

/// A bias expression. Default-constructed: the literal 0 (no bias).
class Expr {
 public:
  Expr();
  Expr(bool value);          // NOLINT(google-explicit-constructor): literals read as numbers
  Expr(int value);           // NOLINT(google-explicit-constructor)
  Expr(std::int64_t value);  // NOLINT(google-explicit-constructor)
  Expr(double value);        // NOLINT(google-explicit-constructor)

  [[nodiscard]] const ExprNode& node() const noexcept { return *node_; }
  [[nodiscard]] Op op() const noexcept;
  [[nodiscard]] ValueType type() const noexcept;
  [[nodiscard]] const Expr& arg(std::size_t index) const;
  /// One component of a vector, a scalar. Throws Error(invalid_config) if out of range.
  [[nodiscard]] Expr operator[](int index) const;
  /// This input or index with bounds of its values declared: `key_input("x", 3).range(-1, 1)`, all components alike.
  /// The planner then knows which lowerings are exact, and so may take faster ones; values outside lose accuracy or
  /// overflow, and where they make a table's index they may read memory beside the table. What is declared at one use
  /// of an input holds at all of them, and indices outside are refused at launch. Throws Error(invalid_config) for
  /// anything but an input or an index, for bounds that hold no number, or no integer for an input of integers, and for
  /// those of an index that leave out 0.
  [[nodiscard]] Expr range(double low, double high) const;
  /// Likewise for an input, or for q_index or kv_index, inside this expression:
  /// `squared_distance(3).range("q_positions", -1, 1)`. Throws Error(invalid_config) where nothing has that name.
  [[nodiscard]] Expr range(std::string_view input, double low, double high) const;

 private:
  friend Expr make_expr(ExprNode node);  // the only way to a node, so that none escapes the bounds
  explicit Expr(std::shared_ptr<const ExprNode> node) : node_(std::move(node)) {}

  std::shared_ptr<const ExprNode> node_;
};

struct ExprNode {
  Op op = Op::real_literal;
  ValueType type;
  std::vector<Expr> args{};
  std::string name{};            ///< of an input or table; the printed call of a `named` node
  std::int64_t integer = 0;      ///< literal (boolean, integer), component index, table entries, approximation's rank
  double real = 0;               ///< real literal
  std::optional<DType> dtype{};  ///< of an input, or an approximation's factors; absent: that of q, k and v
  std::optional<Range> range{};  ///< of an input or index, where declared
  /// Of `approximate`: what args[0] stands in for. Printed, compared and counted, never evaluated.
  std::optional<Expr> approximated{};
  // Set by make_expr.
  int depth = 1;             ///< levels, this one included; at most kMaxDepth
  int nodes = 1;             ///< of the expression written out in full; at most kMaxNodes
  std::uint64_t hash = 0;    ///< structural, equal for equal expressions
  bool reads_query = false;  ///< the query's index or inputs
  bool reads_key = false;    ///< the key's
  bool reads_pair = false;   ///< a pair input
};

/// Makes a node from its parts. The one way to build nodes; types are the caller's duty.
/// Throws Error(invalid_config) beyond kMaxDepth or kMaxNodes.
[[nodiscard]] Expr make_expr(ExprNode node);

/// Structural equality ("as typed", not "as meant").
[[nodiscard]] bool equal(const Expr& a, const Expr& b) noexcept;

// Operators. Where an integer meets a real it becomes one; a boolean is no number (see select and real). A shape or
// type that does not fit throws Error(invalid_config) that prints the operands and their types. A config whose bias
// divides by what may be 0, given the declared ranges and the conditions around it, is refused (see validate).
[[nodiscard]] Expr operator-(const Expr& a);
[[nodiscard]] Expr operator+(const Expr& a, const Expr& b);
[[nodiscard]] Expr operator-(const Expr& a, const Expr& b);
[[nodiscard]] Expr operator*(const Expr& a, const Expr& b);
[[nodiscard]] Expr operator/(const Expr& a, const Expr& b);
[[nodiscard]] Expr operator%(const Expr& a, const Expr& b);
[[nodiscard]] Expr operator<(const Expr& a, const Expr& b);
[[nodiscard]] Expr operator<=(const Expr& a, const Expr& b);
[[nodiscard]] Expr operator>(const Expr& a, const Expr& b);
[[nodiscard]] Expr operator>=(const Expr& a, const Expr& b);
[[nodiscard]] Expr operator==(const Expr& a, const Expr& b);
[[nodiscard]] Expr operator!=(const Expr& a, const Expr& b);
[[nodiscard]] Expr operator&&(const Expr& a, const Expr& b);
[[nodiscard]] Expr operator||(const Expr& a, const Expr& b);
[[nodiscard]] Expr operator!(const Expr& a);
[[nodiscard]] Expr min(const Expr& a, const Expr& b);
[[nodiscard]] Expr max(const Expr& a, const Expr& b);
/// min(max(a, low), high), as which it prints.
[[nodiscard]] Expr clamp(const Expr& a, const Expr& low, const Expr& high);
[[nodiscard]] Expr abs(const Expr& a);
[[nodiscard]] Expr sqrt(const Expr& a);
[[nodiscard]] Expr exp(const Expr& a);
[[nodiscard]] Expr log(const Expr& a);
[[nodiscard]] Expr sin(const Expr& a);
[[nodiscard]] Expr cos(const Expr& a);
/// The angle of the point (x, y) in radians, -pi to pi; 0 at the origin. It gives inverse functions their digits where
/// acos and asin of a rounded number lose half of them: the angle between unit vectors a and b is
/// 2 atan2(|a - b|, |a + b|).
[[nodiscard]] Expr atan2(const Expr& y, const Expr& x);
[[nodiscard]] Expr real(const Expr& a);  ///< integer or boolean (false 0, true 1) as a real
[[nodiscard]] Expr select(const Expr& condition, const Expr& if_true, const Expr& if_false);
[[nodiscard]] Expr dot(const Expr& a, const Expr& b);

/// As typed, with the fewest parentheses (and `none()` for the literal 0.0 alone); parse_expr(to_string(e)) equals e.
[[nodiscard]] std::string to_string(const Expr& expr);
/// Parses the language's text form. Throws Error(parse) with the column and what was expected there, and what the
/// operators throw, with the column.
[[nodiscard]] Expr parse_expr(std::string_view text);

namespace bias {

// Leaves.
[[nodiscard]] Expr q_index();
[[nodiscard]] Expr kv_index();
[[nodiscard]] Expr q_length();
[[nodiscard]] Expr kv_length();
/// Position of the query among the keys when sequences end together: q_index + Nk - Nq.
/// The last query is at the last key, as the causal mask aligns them.
[[nodiscard]] Expr q_position();
[[nodiscard]] Expr head();
[[nodiscard]] Expr batch();
[[nodiscard]] Expr infinity();
[[nodiscard]] Expr head_scalar(std::string name, std::optional<DType> dtype = DType::f32);
[[nodiscard]] Expr query_input(std::string name, int dims = 1, std::optional<DType> dtype = DType::f32);
[[nodiscard]] Expr key_input(std::string name, int dims = 1, std::optional<DType> dtype = DType::f32);
[[nodiscard]] Expr pair_input(std::string name, std::optional<DType> dtype = std::nullopt);
/// A learned table of `entries` numbers a head, looked up at an integer expression that should stay in [0, entries).
/// Say `clamp(index, 0, entries - 1)` where it may not. Otherwise: an index that is provably outside at every score is
/// refused, Error(invalid_config); what cannot be proved never reads other memory, but the nearest entry, as if it were
/// clamped, and `explain` says so. Declared ranges (Expr::range) count in such proofs: data outside them may read
/// memory beside the table.
[[nodiscard]] Expr table(std::string name, int entries, const Expr& index, std::optional<DType> dtype = DType::f32);

// Named biases, written in the language.

/// No bias: the literal 0.
[[nodiscard]] Expr none();
/// ALiBi (Press et al. 2022): -slopes[h] * |q_position - kv_index|; inputs: head scalar `slopes`.
/// Under a causal mask the absolute value disappears.
[[nodiscard]] Expr alibi();
/// 1-D relative position, clipped at +-max_distance: table `relative_bias` with 2 * max_distance + 1 entries,
/// entry clamp(kv_index - q_position, -max_distance, max_distance) + max_distance.
[[nodiscard]] Expr relative_position(int max_distance);
/// T5's relative position (Raffel et al. 2020): table `relative_bias` with `buckets` entries. The logarithmic
/// bucket borders are integers found when the expression is built, with the float32 formula of the
/// published models, so every machine agrees on them.
[[nodiscard]] Expr t5_relative_position(int buckets = 32, int max_distance = 128, bool bidirectional = true);
/// Swin's 2-D window (Liu et al. 2021): tokens are the row-major cells of a height x width window;
/// table `relative_bias` with (2 height - 1) * (2 width - 1) entries.
[[nodiscard]] Expr window_relative_position(int height, int width);
/// Pangu-Weather's 3-D window (Bi et al. 2023): relative along longitude, absolute pairs of pressure level and
/// latitude: tokens are ordered level, latitude, longitude; table `relative_bias` with levels^2 * latitudes^2 * (2
/// longitudes - 1) entries.
[[nodiscard]] Expr earth_relative_position(int levels, int latitudes, int longitudes);

enum class DistanceWeight : std::uint8_t {
  none,       ///< -|x_i - x_j|^2
  per_head,   ///< head scalar `distance_weight` [H]
  per_query,  ///< query input `distance_weight` [B|1, Nq, H|1, 1]
  per_key,    ///< key input `distance_weight` [B|1, Nk, H|1, 1]
};
/// Spatial distance: -weight * |q_positions_i - k_positions_j|^2 with query input `q_positions` and key input
/// `k_positions`, both [B|1, N, H|1, dims] f32. FlashBias' PDE solver weights each query token.
[[nodiscard]] Expr squared_distance(int dims, DistanceWeight weight = DistanceWeight::per_head);
/// Learned low rank: dot(q_factors_i, k_factors_j), [B|1, N, H|1, rank] each, of the dtype of q by default.
/// rank 1 to 128.
[[nodiscard]] Expr low_rank(int rank, std::optional<DType> dtype = std::nullopt);
/// A matrix that nothing describes: pair input `bias` [B|1, H|1, Nq, Nk], of the dtype of q by default.
[[nodiscard]] Expr dense(std::optional<DType> dtype = std::nullopt);
/// Key padding: key input `key_padding_mask` [B|1, Nk] u8: 0 hides the key (-infinity), anything else keeps it (0).
[[nodiscard]] Expr key_padding_mask();

/// An approximation that the caller allows: the inner product of supplied factors stands in for `expr`, one number a
/// score without approximations of its own. Inputs: query input [B|1, Nq, H|1, rank] and key input [B|1, Nk, H|1,
/// rank], named by factor_names(expr), of the dtype of q by default; rank 1 to 128. What `expr` itself reads is no
/// input of the bias. Kernels and the reference are exact with respect to the factors; how far those are from `expr` is
/// told where they are made: decompose.hpp finds the rank that an energy or a tolerance takes, which the config then
/// names.
[[nodiscard]] Expr approximate(const Expr& expr, int rank, std::optional<DType> dtype = std::nullopt);

struct FactorNames {
  std::string q;
  std::string k;
};
/// Names of the factors that stand in for `expr`, so that approximations of different expressions never share them:
/// `q_factors_` and `k_factors_`, then a named bias' call with `_` for its punctuation
/// (`q_factors_window_relative_position_24_24`), or 16 hexadecimal digits that hash the text of any other expression.
[[nodiscard]] FactorNames factor_names(const Expr& expr);

}  // namespace bias
}  // namespace flashbias
