#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "codegen/characters.hpp"
#include "codegen/excerpt.hpp"
#include "codegen/hash.hpp"
#include "codegen/rewrite.hpp"
#include "flashbias/bias.hpp"
#include "flashbias/error.hpp"

namespace flashbias::bias {
namespace {

constexpr int kMaxWindow = 512;  ///< cells a side; a square of them still fits a table
constexpr int kMaxBuckets = 256;
constexpr int kMaxRelativeDistance = kMaxTableEntries / 2;
constexpr const char* kRelativeBias = "relative_bias";

/// An expression that prints as the call that made it.
Expr named(std::string call, const Expr& expansion) {
  return make_expr({.op = Op::named, .type = expansion.type(), .args = {expansion}, .name = std::move(call)});
}

void require(std::string_view call, std::string_view parameter, int value, int least, int most) {
  if (value >= least && value <= most) return;
  throw Error(ErrorCode::invalid_config,
              fmt::format("{} has {} {}; {} to {} are accepted", call, parameter, value, least, most));
}

/// The dtype as a call's last argument, where it is not the usual one.
std::string dtype_argument(std::optional<DType> dtype) { return dtype ? fmt::format(", {}", to_string(*dtype)) : ""; }

/// `window_relative_position(24, 24)` as `window_relative_position_24_24`.
std::string call_as_name(std::string_view call) {
  std::string name;
  for (const char c : call) {
    if (codegen::is_letter_or_digit(c)) {
      name += c;
    } else if (!name.empty() && name.back() != '_') {
      name += '_';
    }
  }
  while (name.ends_with('_')) name.pop_back();
  return name;
}

std::string hashed_as_name(std::string_view text) {
  std::uint64_t hash = 0;
  for (const char c : text) hash = codegen::mix(hash, static_cast<unsigned char>(c));
  return fmt::format("{:016x}", hash);
}

/// Where the key is as seen from the query: 0 at its own position, negative before it.
Expr relative_to_query() { return kv_index() - q_position(); }

/// Number of T5's buckets for distances of one sign.
struct LogBuckets {
  int count;
  int exact;         ///< distances below this have a bucket each
  int max_distance;  ///< distances from here on share the last bucket

  /// Bucket of a distance >= exact, each step rounded to float32 as in the published models. The logarithm is rounded
  /// from float64: unlike that of float32, it does not differ between C libraries.
  [[nodiscard]] int bucket(int distance) const {
    const auto log = [](double x) { return static_cast<float>(std::log(x)); };
    const auto near = static_cast<float>(exact);
    const float position = log(static_cast<float>(distance) / near) / log(static_cast<double>(max_distance) / exact);
    const auto step = static_cast<int>(position * static_cast<float>(count - exact));
    return std::min(exact + step, count - 1);
  }

  /// Least distance whose bucket is `wanted` or a later one.
  [[nodiscard]] int border(int wanted) const {
    int low = exact;
    int high = max_distance;
    while (low < high) {
      const int middle = std::midpoint(low, high);
      if (bucket(middle) < wanted) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
};

}  // namespace

Expr q_position() { return named("q_position()", q_index() + kv_length() - q_length()); }

Expr none() { return {}; }

Expr alibi() { return named("alibi()", -head_scalar("slopes") * abs(q_position() - kv_index())); }

Expr relative_position(int max_distance) {
  require("relative_position", "max_distance", max_distance, 1, kMaxRelativeDistance - 1);
  const Expr clipped = min(max(relative_to_query(), -max_distance), max_distance);
  return named(fmt::format("relative_position({})", max_distance),
               table(kRelativeBias, 2 * max_distance + 1, clipped + max_distance));
}

Expr t5_relative_position(int buckets, int max_distance, bool bidirectional) {
  constexpr const char* kCall = "t5_relative_position";
  require(kCall, "buckets", buckets, bidirectional ? 4 : 2, kMaxBuckets);
  if (bidirectional && buckets % 2 != 0) {
    throw Error(
        ErrorCode::invalid_config,
        fmt::format("{} has buckets {}; bidirectional needs an even number, half for each side", kCall, buckets));
  }
  const int side = bidirectional ? buckets / 2 : buckets;
  const LogBuckets log_buckets{.count = side, .exact = side / 2, .max_distance = max_distance};
  require(kCall, "max_distance", max_distance, log_buckets.exact + 1, kMaxRelativeDistance);

  const Expr relative = relative_to_query();
  const Expr distance = bidirectional ? abs(relative) : max(-relative, 0);
  Expr index = min(distance, log_buckets.exact);
  for (int bucket = log_buckets.exact + 1; bucket < side; ++bucket) {
    index = index + select(distance >= log_buckets.border(bucket), 1, 0);
  }
  if (bidirectional) index = index + select(relative > 0, side, 0);
  return named(
      fmt::format("{}({}, {}, {})", kCall, buckets, max_distance, bidirectional ? "bidirectional" : "unidirectional"),
      table(kRelativeBias, buckets, index));
}

Expr window_relative_position(int height, int width) {
  constexpr const char* kCall = "window_relative_position";
  require(kCall, "height", height, 1, kMaxWindow);
  require(kCall, "width", width, 1, kMaxWindow);
  const int row_stride = 2 * width - 1;
  // A query part less a key part: each is found once a token, not once a score. The remainders keep the index within
  // the table for sequences of any length, so that no score has to clamp it.
  const auto part = [&](const Expr& token) { return token / width % height * row_stride + token % width; };
  const int center = (height - 1) * row_stride + width - 1;
  return named(fmt::format("{}({}, {})", kCall, height, width),
               table(kRelativeBias, (2 * height - 1) * row_stride, part(q_index()) - part(kv_index()) + center));
}

Expr earth_relative_position(int levels, int latitudes, int longitudes) {
  constexpr const char* kCall = "earth_relative_position";
  require(kCall, "levels", levels, 1, kMaxWindow);
  require(kCall, "latitudes", latitudes, 1, kMaxWindow);
  require(kCall, "longitudes", longitudes, 1, kMaxWindow);
  const int latitude_stride = 2 * longitudes - 1;
  const std::int64_t level_stride = std::int64_t{latitude_stride} * latitudes * latitudes;
  const std::int64_t entries = level_stride * levels * levels;
  std::string call = fmt::format("{}({}, {}, {})", kCall, levels, latitudes, longitudes);
  if (entries > kMaxTableEntries) {
    throw Error(ErrorCode::invalid_config, fmt::format("{} needs a table of {} entries; at most {} are accepted. Use "
                                                       "a smaller window",
                                                       call, entries, kMaxTableEntries));
  }
  const auto level = [&](const Expr& token) { return token / (latitudes * longitudes) % levels; };
  const auto latitude = [&](const Expr& token) { return token / longitudes % latitudes; };
  const auto longitude = [&](const Expr& token) { return token % longitudes; };
  // A query part plus a key part, as in a window, remainders included; absolute pairs differ in the strides of the two
  // sides.
  const Expr q = q_index();
  const Expr kv = kv_index();
  const Expr query_part = level(q) * level_stride + latitude(q) * latitude_stride + longitude(q);
  const Expr key_part =
      level(kv) * (levels * level_stride) + latitude(kv) * (latitudes * latitude_stride) - longitude(kv);
  return named(std::move(call),
               table(kRelativeBias, static_cast<int>(entries), query_part + key_part + (longitudes - 1)));
}

Expr squared_distance(int dims, DistanceWeight weight) {
  require("squared_distance", "dims", dims, 1, kMaxDims);
  const Expr difference = query_input("q_positions", dims) - key_input("k_positions", dims);
  const Expr square = dot(difference, difference);
  const auto weighted = [&](std::string_view weight_name, const Expr& value) {
    return named(fmt::format("squared_distance({}, {})", dims, weight_name), value);
  };
  constexpr const char* kWeight = "distance_weight";
  switch (weight) {
    case DistanceWeight::none:
      return weighted("none", -square);
    case DistanceWeight::per_head:
      return weighted("per_head", -head_scalar(kWeight) * square);
    case DistanceWeight::per_query:
      return weighted("per_query", -query_input(kWeight) * square);
    case DistanceWeight::per_key:
      return weighted("per_key", -key_input(kWeight) * square);
  }
  throw Error(ErrorCode::invalid_config,
              fmt::format("squared_distance has no weight of kind {}", static_cast<int>(weight)));
}

Expr low_rank(int rank, std::optional<DType> dtype) {
  require("low_rank", "rank", rank, 1, kMaxDims);
  return named(fmt::format("low_rank({}{})", rank, dtype_argument(dtype)),
               dot(query_input("q_factors", rank, dtype), key_input("k_factors", rank, dtype)));
}

Expr dense(std::optional<DType> dtype) {
  std::string call = dtype ? fmt::format("dense({})", to_string(*dtype)) : "dense()";
  return named(std::move(call), pair_input("bias", dtype));
}

Expr key_padding_mask() {
  return named("key_padding_mask()", select(key_input("key_padding_mask", 1, DType::u8) == 0, -infinity(), 0.0));
}

FactorNames factor_names(const Expr& expr) {
  constexpr std::string_view kQ = "q_factors_";
  constexpr std::string_view kK = "k_factors_";
  std::string name = expr.op() == Op::named ? call_as_name(expr.node().name) : "";
  if (name.empty() || kQ.size() + name.size() > kMaxNameLength) name = hashed_as_name(to_string(expr));
  return {.q = std::string(kQ) + name, .k = std::string(kK) + name};
}

Expr approximate(const Expr& expr, int rank, std::optional<DType> dtype) {
  require("approximate", "rank", rank, 1, kMaxDims);
  if (expr.type().dims != 1 || expr.type().scalar == ScalarType::boolean) {
    throw Error(ErrorCode::invalid_config,
                fmt::format("approximate is given `{}` ({}); it takes what gives one number a score",
                            codegen::excerpt(to_string(expr)), to_string(expr.type())));
  }
  if (codegen::any_node(expr, [](const ExprNode& node) { return node.approximated.has_value(); })) {
    throw Error(ErrorCode::invalid_config,
                fmt::format("approximate is given `{}`, which holds an approximation; approximate the whole once",
                            codegen::excerpt(to_string(expr))));
  }
  const FactorNames names = factor_names(expr);
  return make_expr({.op = Op::named,
                    .type = {ScalarType::real, 1},
                    .args = {dot(query_input(names.q, rank, dtype), key_input(names.k, rank, dtype))},
                    .name = "approximate",
                    .integer = rank,
                    .dtype = dtype,
                    .approximated = expr});
}

}  // namespace flashbias::bias
