#include "codegen/functions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>

namespace flashbias::codegen {
namespace {

template <Expr (*build)()>
Expr nullary(Arguments& /*arguments*/) {
  return build();
}

template <Expr (*build)(const Expr&)>
Expr unary(Arguments& arguments) {
  return build(arguments.expression());
}

template <Expr (*build)(const Expr&, const Expr&)>
Expr binary(Arguments& arguments) {
  const Expr a = arguments.expression();
  return build(a, arguments.expression());
}

Expr select(Arguments& arguments) {
  const Expr condition = arguments.expression();
  const Expr if_true = arguments.expression();
  return flashbias::select(condition, if_true, arguments.expression());
}

Expr clamp(Arguments& arguments) {
  const Expr a = arguments.expression();
  const Expr low = arguments.expression();
  return flashbias::clamp(a, low, arguments.expression());
}

Expr head_scalar(Arguments& arguments) {
  std::string name = arguments.name();
  return bias::head_scalar(std::move(name), arguments.dtype(DType::f32));
}

template <Expr (*build)(std::string, int, std::optional<DType>)>
Expr token_input(Arguments& arguments) {
  std::string name = arguments.name();
  const int dims = arguments.integer(1);
  return build(std::move(name), dims, arguments.dtype(DType::f32));
}

Expr pair_input(Arguments& arguments) {
  std::string name = arguments.name();
  return bias::pair_input(std::move(name), arguments.dtype(std::nullopt));
}

Expr table(Arguments& arguments) {
  std::string name = arguments.name();
  const int entries = arguments.integer();
  const Expr index = arguments.expression();
  return bias::table(std::move(name), entries, index, arguments.dtype(DType::f32));
}

Expr relative_position(Arguments& arguments) { return bias::relative_position(arguments.integer()); }

Expr t5_relative_position(Arguments& arguments) {
  const int buckets = arguments.integer(32);
  const int max_distance = arguments.integer(128);
  constexpr std::array<std::string_view, 2> kDirections{"bidirectional", "unidirectional"};
  return bias::t5_relative_position(buckets, max_distance, arguments.choice(kDirections, 0) == 0);
}

Expr window_relative_position(Arguments& arguments) {
  const int height = arguments.integer();
  return bias::window_relative_position(height, arguments.integer());
}

Expr earth_relative_position(Arguments& arguments) {
  const int levels = arguments.integer();
  const int latitudes = arguments.integer();
  return bias::earth_relative_position(levels, latitudes, arguments.integer());
}

Expr squared_distance(Arguments& arguments) {
  const int dims = arguments.integer();
  constexpr std::array<std::string_view, 4> kWeights{"none", "per_head", "per_query", "per_key"};
  const auto usual = static_cast<std::size_t>(bias::DistanceWeight::per_head);
  return bias::squared_distance(dims, static_cast<bias::DistanceWeight>(arguments.choice(kWeights, usual)));
}

Expr low_rank(Arguments& arguments) {
  const int rank = arguments.integer();
  return bias::low_rank(rank, arguments.dtype(std::nullopt));
}

Expr approximate(Arguments& arguments) {
  const Expr expr = arguments.expression();
  const int rank = arguments.integer();
  return bias::approximate(expr, rank, arguments.dtype(std::nullopt));
}

Expr dense(Arguments& arguments) { return bias::dense(arguments.dtype(std::nullopt)); }

constexpr std::array kFunctions{
    Function{"q_index", "", nullary<bias::q_index>},
    Function{"kv_index", "", nullary<bias::kv_index>},
    Function{"q_length", "", nullary<bias::q_length>},
    Function{"kv_length", "", nullary<bias::kv_length>},
    Function{"q_position", "", nullary<bias::q_position>},
    Function{"head", "", nullary<bias::head>},
    Function{"batch", "", nullary<bias::batch>},
    Function{"head_scalar", "name[, dtype]", head_scalar},
    Function{"query_input", "name[, dims[, dtype]]", token_input<bias::query_input>},
    Function{"key_input", "name[, dims[, dtype]]", token_input<bias::key_input>},
    Function{"pair_input", "name[, dtype]", pair_input},
    Function{"table", "name, entries, index[, dtype]", table},
    Function{"min", "a, b", binary<flashbias::min>},
    Function{"max", "a, b", binary<flashbias::max>},
    Function{"clamp", "a, low, high", clamp},
    Function{"abs", "a", unary<flashbias::abs>},
    Function{"sqrt", "a", unary<flashbias::sqrt>},
    Function{"exp", "a", unary<flashbias::exp>},
    Function{"log", "a", unary<flashbias::log>},
    Function{"sin", "a", unary<flashbias::sin>},
    Function{"cos", "a", unary<flashbias::cos>},
    Function{"atan2", "y, x", binary<flashbias::atan2>},
    Function{"real", "a", unary<flashbias::real>},
    Function{"select", "condition, if_true, if_false", select},
    Function{"dot", "a, b", binary<flashbias::dot>},
    Function{"none", "", nullary<bias::none>},
    Function{"alibi", "", nullary<bias::alibi>},
    Function{"relative_position", "max_distance", relative_position},
    Function{"t5_relative_position", "[buckets[, max_distance[, bidirectional|unidirectional]]]", t5_relative_position},
    Function{"window_relative_position", "height, width", window_relative_position},
    Function{"earth_relative_position", "levels, latitudes, longitudes", earth_relative_position},
    Function{"squared_distance", "dims[, none|per_head|per_query|per_key]", squared_distance},
    Function{"low_rank", "rank[, dtype]", low_rank},
    Function{"dense", "[dtype]", dense},
    Function{"approximate", "expression, rank[, dtype]", approximate},
    Function{"key_padding_mask", "", nullary<bias::key_padding_mask>},
};

}  // namespace

std::span<const Function> functions() { return kFunctions; }

Expr Arguments::expression() {
  next();
  return parser_.expression();
}

std::string Arguments::name() { return std::string(word("a name").text); }

int Arguments::integer() {
  next();
  Tokens& tokens = parser_.tokens();
  const bool negative = tokens.accept("-");
  const std::string_view digits = tokens.peek().text;
  int value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) fail("an integer of 32 bits");
  tokens.take();
  return negative ? -value : value;
}

double Arguments::real() {
  next();
  Tokens& tokens = parser_.tokens();
  const bool negative = tokens.accept("-");
  const std::string_view digits = tokens.peek().text;
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool is_number = tokens.peek().kind == Token::Kind::number;
  if (!is_number || error != std::errc() || end != digits.data() + digits.size()) fail("a number");
  tokens.take();
  return negative ? -value : value;
}

int Arguments::integer(int absent) { return more() ? integer() : absent; }

std::optional<DType> Arguments::dtype(std::optional<DType> absent) {
  if (!more()) return absent;
  const Token dtype = word("a dtype");
  if (dtype.text == "like_q") return std::nullopt;
  return parser_.tokens().at(dtype, [&] { return parse_dtype(dtype.text); });
}

std::size_t Arguments::choice(std::span<const std::string_view> words, std::size_t absent) {
  if (!more()) return absent;
  const std::string expected = fmt::format("one of {}", fmt::join(words, ", "));
  const Token chosen = word(expected);
  const auto found = std::ranges::find(words, chosen.text);
  if (found == words.end()) {
    parser_.tokens().fail(chosen, fmt::format("expected {}, not {}", expected, describe(chosen)));
  }
  return static_cast<std::size_t>(found - words.begin());
}

void Arguments::close() {
  if (!parser_.tokens().accept(")")) fail("')'");
}

bool Arguments::more() const {
  const Token& ahead = parser_.tokens().peek();
  return first_ ? !ahead.is(")") : ahead.is(",");
}

void Arguments::next() {
  if (!first_ && !parser_.tokens().accept(",")) fail("',' and another argument");
  first_ = false;
}

Token Arguments::word(std::string_view expected) {
  next();
  if (parser_.tokens().peek().kind != Token::Kind::name) fail(expected);
  return parser_.tokens().take();
}

void Arguments::fail(std::string_view expected) const {
  const Tokens& tokens = parser_.tokens();
  tokens.fail(tokens.peek(), fmt::format("expected {}, not {}; the form is {}({})", expected, describe(tokens.peek()),
                                         function_.name, function_.parameters));
}

}  // namespace flashbias::codegen
