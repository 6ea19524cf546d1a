#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <charconv>
#include <system_error>

#include "codegen/excerpt.hpp"
#include "codegen/text_error.hpp"
#include "flashbias/config.hpp"

namespace flashbias {
namespace {

using codegen::did_you_mean;
using codegen::excerpt;
using codegen::TextError;

constexpr std::string_view kSpace = " \t\r\n";

int parse_integer(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return value;
  throw Error(ErrorCode::parse, fmt::format("expected an integer, not '{}'", excerpt(text)));
}

bool parse_boolean(std::string_view text) {
  if (text == "true" || text == "false") return text == "true";
  throw Error(ErrorCode::parse, fmt::format("expected true or false, not '{}'", excerpt(text)));
}

/// `q,k,slopes`
std::vector<std::string> parse_names(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    names.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return names;
}

struct Field {
  std::string_view name;
  void (*parse)(AttentionConfig& config, std::string_view value);
};

constexpr std::array kFields{
    Field{"direction", [](AttentionConfig& c, std::string_view value) { c.direction = parse_direction(value); }},
    Field{"dtype", [](AttentionConfig& c, std::string_view value) { c.dtype = parse_dtype(value); }},
    Field{"head_dim", [](AttentionConfig& c, std::string_view value) { c.head_dim = parse_integer(value); }},
    Field{"head_dim_v", [](AttentionConfig& c, std::string_view value) { c.head_dim_v = parse_integer(value); }},
    Field{"causal", [](AttentionConfig& c, std::string_view value) { c.causal = parse_boolean(value); }},
    Field{"log_sum_exp", [](AttentionConfig& c, std::string_view value) { c.log_sum_exp = parse_boolean(value); }},
    Field{"arch", [](AttentionConfig& c, std::string_view value) { c.arch = parse_arch(value); }},
    Field{"gradients", [](AttentionConfig& c, std::string_view value) { c.gradients = parse_names(value); }},
    Field{"deterministic", [](AttentionConfig& c, std::string_view value) { c.deterministic = parse_boolean(value); }},
    Field{"main_loop", [](AttentionConfig& c, std::string_view value) { c.main_loop = parse_main_loop(value); }},
    Field{"lowering", [](AttentionConfig& c, std::string_view value) { c.lowering = parse_lowering(value); }},
    Field{"tile", [](AttentionConfig& c, std::string_view value) { c.tile = parse_tile_shape(value); }},
    Field{"bias", [](AttentionConfig& c, std::string_view value) { c.bias = parse_expr(value); }},
};

/// Reads `name=value` or `name="value"`, one after another.
class FieldReader {
 public:
  explicit FieldReader(std::string_view text) : text_(text) {}

  [[nodiscard]] bool at_end() {
    position_ = std::min(text_.find_first_not_of(kSpace, position_), text_.size());
    return position_ == text_.size();
  }

  void read_into(AttentionConfig& config) {
    const std::size_t start = position_;
    const std::size_t field = take_field();
    const std::size_t value_start = position_;
    const std::string_view value = take_value();
    if (seen_[field]) fail(start, fmt::format("field '{}' is given twice", kFields[field].name));
    seen_.set(field);
    try {
      kFields[field].parse(config, value);
    } catch (const TextError& error) {
      throw Error(error.code(), fmt::format("field '{}', {}", kFields[field].name, error.what()));
    } catch (const Error& error) {
      fail(value_start, fmt::format("field '{}': {}", kFields[field].name, error.what()), error.code());
    }
  }

 private:
  [[noreturn]] void fail(std::size_t offset, std::string_view message, ErrorCode code = ErrorCode::parse) const {
    throw TextError(code, text_, offset, message);
  }

  std::size_t take_field() {
    const std::size_t start = position_;
    const std::size_t end = std::min(text_.find_first_of(" \t\r\n=\"", start), text_.size());
    const std::string_view name = text_.substr(start, end - start);
    if (end == text_.size() || text_[end] != '=') {
      fail(start, fmt::format("expected field=value, not '{}'; a value that holds spaces is written in double quotes",
                              excerpt(name)));
    }
    const auto* const field = std::ranges::find(kFields, name, &Field::name);
    if (field == kFields.end()) {
      std::array<std::string_view, kFields.size()> names;
      std::ranges::transform(kFields, names.begin(), &Field::name);
      fail(start, fmt::format("unknown field '{}'{}", excerpt(name), did_you_mean(name, names)));
    }
    position_ = end + 1;
    return static_cast<std::size_t>(field - kFields.begin());
  }

  std::string_view take_value() {
    const bool quoted = position_ < text_.size() && text_[position_] == '"';
    const std::size_t start = position_ + (quoted ? 1 : 0);
    const std::size_t end =
        quoted ? text_.find('"', start) : std::min(text_.find_first_of(kSpace, start), text_.size());
    if (end == std::string_view::npos) fail(position_, "the quote that opens here is never closed");
    position_ = end + (quoted ? 1 : 0);
    if (position_ < text_.size() && kSpace.find(text_[position_]) == std::string_view::npos) {
      fail(position_, "expected a space between fields");
    }
    return text_.substr(start, end - start);
  }

  std::string_view text_;
  std::size_t position_ = 0;
  std::bitset<kFields.size()> seen_;
};

}  // namespace

std::string to_string(const AttentionConfig& config) {
  std::string chosen;
  if (!config.gradients.empty()) chosen = fmt::format(" gradients={}", fmt::join(config.gradients, ","));
  if (config.deterministic) chosen += " deterministic=true";
  if (config.main_loop) chosen += fmt::format(" main_loop={}", to_string(*config.main_loop));
  if (config.lowering) {
    std::string name(to_string(*config.lowering));
    std::ranges::replace(name, ' ', '_');
    chosen += " lowering=" + name;
  }
  if (config.tile) chosen += fmt::format(" tile={}", to_string(*config.tile));
  return fmt::format("direction={} dtype={} head_dim={} head_dim_v={} causal={} log_sum_exp={} arch={}{} bias=\"{}\"",
                     to_string(config.direction), to_string(config.dtype), config.head_dim,
                     config.head_dim_v == 0 ? config.head_dim : config.head_dim_v, config.causal, config.log_sum_exp,
                     to_string(config.arch), chosen, to_string(config.bias));
}

AttentionConfig parse_config(std::string_view text) {
  AttentionConfig config;
  FieldReader reader(text);
  while (!reader.at_end()) reader.read_into(config);
  return config;
}

}  // namespace flashbias
