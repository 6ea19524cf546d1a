#include "tools/bias_flags.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "flashbias/error.hpp"
#include "tools/flag_checks.hpp"
#include "tools/suggest.hpp"
#include "tools/window_sides.hpp"

namespace flashbias::tools {
namespace {

constexpr const char* kGroup = "Bias";

[[noreturn]] void reject(const std::string& message) { throw Error(ErrorCode::invalid_config, message); }

template <class T>
const T& required(const std::optional<T>& value, const BiasFlags& flags, std::string_view flag) {
  if (!value) reject(fmt::format("--bias {} needs {}", flags.bias, flag));
  return *value;
}

std::vector<int> required_sides(const BiasFlags& flags, std::size_t count, std::string_view example) {
  const std::string& text = required(flags.window, flags, fmt::format("--window {}", example));
  auto sides = parse_sides(text);
  if (sides.size() == count) return sides;
  reject(fmt::format("--window {}: --bias {} takes {} sides, such as {}", text, flags.bias, count, example));
}

bias::DistanceWeight distance_weight(const std::string& text) {
  using bias::DistanceWeight;
  if (text == "none") return DistanceWeight::none;
  if (text == "per_head") return DistanceWeight::per_head;
  if (text == "per_query") return DistanceWeight::per_query;
  if (text == "per_key") return DistanceWeight::per_key;
  reject(fmt::format("--weight {}: expected none, per_head, per_query or per_key", text));
}

struct NamedBias {
  std::string_view name;
  std::vector<std::string_view> takes;
  Expr (*make)(const BiasFlags& flags);
};

const std::vector<NamedBias>& named_biases() {
  static const std::vector<NamedBias> all = {
      {"none", {}, [](const BiasFlags&) { return bias::none(); }},
      {"alibi", {}, [](const BiasFlags&) { return bias::alibi(); }},
      {"relative",
       {"--max-distance"},
       [](const BiasFlags& flags) {
         return bias::relative_position(required(flags.max_distance, flags, "--max-distance"));
       }},
      {"t5",
       {"--buckets", "--max-distance", "--unidirectional"},
       [](const BiasFlags& flags) {
         return bias::t5_relative_position(flags.buckets.value_or(32), flags.max_distance.value_or(128),
                                           !flags.unidirectional);
       }},
      {"window",
       {"--window"},
       [](const BiasFlags& flags) {
         const auto sides = required_sides(flags, 2, "24x24");
         return bias::window_relative_position(sides[0], sides[1]);
       }},
      {"earth",
       {"--window"},
       [](const BiasFlags& flags) {
         const auto sides = required_sides(flags, 3, "2x6x12");
         return bias::earth_relative_position(sides[0], sides[1], sides[2]);
       }},
      {"distance",
       {"--dims", "--weight"},
       [](const BiasFlags& flags) {
         return bias::squared_distance(required(flags.dims, flags, "--dims"),
                                       distance_weight(flags.weight.value_or("per_head")));
       }},
      {"low-rank",
       {"--rank"},
       [](const BiasFlags& flags) { return bias::low_rank(required(flags.rank, flags, "--rank")); }},
      {"dense", {}, [](const BiasFlags&) { return bias::dense(); }},
  };
  return all;
}

std::vector<std::string_view> given_flags(const BiasFlags& flags) {
  std::vector<std::string_view> given;
  if (flags.rank) given.emplace_back("--rank");
  if (flags.dims) given.emplace_back("--dims");
  if (flags.weight) given.emplace_back("--weight");
  if (flags.max_distance) given.emplace_back("--max-distance");
  if (flags.buckets) given.emplace_back("--buckets");
  if (flags.window) given.emplace_back("--window");
  if (flags.unidirectional) given.emplace_back("--unidirectional");
  return given;
}

/// The biases that take a flag, for the error that says where it belongs.
std::string takers(std::string_view flag) {
  std::vector<std::string_view> names;
  for (const auto& bias : named_biases()) {
    if (std::ranges::count(bias.takes, flag) > 0) names.push_back(bias.name);
  }
  return fmt::format("{}", fmt::join(names, " and "));
}

void check_flags(const BiasFlags& flags, const std::vector<std::string_view>& takes) {
  for (const auto flag : given_flags(flags)) {
    if (std::ranges::count(takes, flag) == 0) {
      reject(fmt::format("{} does not apply to --bias {}; it belongs to {}", flag, flags.bias, takers(flag)));
    }
  }
}

bool is_bare_word(std::string_view text) {
  return text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
             std::string::npos &&
         text.find_first_of("0123456789") != 0 && !text.starts_with('-');
}

Expr unmasked(const BiasFlags& flags) {
  const auto& all = named_biases();
  const auto named = std::ranges::find(all, flags.bias, &NamedBias::name);
  check_flags(flags, named == all.end() ? std::vector<std::string_view>{} : named->takes);
  if (named != all.end()) return named->make(flags);
  if (is_bare_word(flags.bias)) {
    std::vector<std::string_view> names;
    for (const auto& bias : all) names.push_back(bias.name);
    reject(fmt::format("--bias {} is neither a named bias nor an expression{}", flags.bias,
                       suggestion(flags.bias, names)));
  }
  return parse_expr(flags.bias);
}

}  // namespace

void BiasFlags::add_to(CLI::App& verb) {
  verb.add_option("--bias", bias,
                  "none, alibi, relative, t5, window, earth, distance, low-rank, dense, or an expression of the bias "
                  "language such as \"-abs(q_position() - kv_index()) * 0.5\"")
      ->capture_default_str()
      ->group(kGroup);
  verb.add_option("--rank", rank, "low-rank: columns of q_factors and k_factors, 1 to 128")
      ->check(whole_int())
      ->group(kGroup);
  verb.add_option("--dims", dims, "distance: coordinates a token")->check(whole_int())->group(kGroup);
  verb.add_option("--weight", weight, "distance: none, per_head (the default), per_query or per_key")->group(kGroup);
  verb.add_option("--max-distance", max_distance,
                  "relative: where positions are clipped; t5: where buckets end, 128 by default")
      ->check(whole_int())
      ->group(kGroup);
  verb.add_option("--buckets", buckets, "t5: entries of the table, 32 by default")->check(whole_int())->group(kGroup);
  verb.add_flag("--unidirectional", unidirectional, "t5: buckets for earlier keys only, as in a decoder")
      ->group(kGroup);
  verb.add_option("--window", window, "window: height x width (24x24); earth: levels x latitudes x longitudes (2x6x12)")
      ->group(kGroup);
  verb.add_flag("--key-padding-mask", key_padding_mask, "with any bias: input key_padding_mask hides keys")
      ->group(kGroup);
}

Expr BiasFlags::expression() const {
  Expr expression = unmasked(*this);
  if (!key_padding_mask) return expression;
  return bias == "none" ? bias::key_padding_mask() : expression + bias::key_padding_mask();
}

}  // namespace flashbias::tools
