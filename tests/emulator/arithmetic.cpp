#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "tests/emulator/operations.hpp"
#include "tests/emulator/scalar.hpp"

namespace flashbias::emulator {
namespace {

template <typename T>
using Twice = std::conditional_t<
    sizeof(T) == 2, std::conditional_t<std::is_signed_v<T>, std::int32_t, std::uint32_t>,
    std::conditional_t<sizeof(T) == 4, std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>,
                       std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>>>;

/// Sums and products wrap.
template <typename T, typename Function>
T wrapping(T a, T b, Function function) {
  if constexpr (std::is_floating_point_v<T>) {
    return function(a, b);
  } else {
    using Unsigned = std::make_unsigned_t<T>;
    return static_cast<T>(function(static_cast<std::uint64_t>(static_cast<Unsigned>(a)),
                                   static_cast<std::uint64_t>(static_cast<Unsigned>(b))));
  }
}

template <typename T>
T high_half(T a, T b) {
  return static_cast<T>((static_cast<Twice<T>>(a) * static_cast<Twice<T>>(b)) >> (8 * sizeof(T)));
}

Operation sum(const Opcode& opcode) {
  return for_number(opcode.type(), []<typename T>(Type<T>) {
    return lane_by_lane<T, T>([](T a, T b) { return wrapping(a, b, [](auto x, auto y) { return x + y; }); });
  });
}

Operation difference(const Opcode& opcode) {
  return for_number(opcode.type(), []<typename T>(Type<T>) {
    return lane_by_lane<T, T>([](T a, T b) { return wrapping(a, b, [](auto x, auto y) { return x - y; }); });
  });
}

Operation product(const Opcode& opcode) {
  if (opcode.has("wide"))
    return for_integer(opcode.type(), []<typename T>(Type<T>) -> Operation {
      if constexpr (sizeof(T) == 8)
        return {};
      else
        return lane_by_lane<T, T>([](T a, T b) { return static_cast<Twice<T>>(Twice<T>{a} * Twice<T>{b}); });
    });
  if (opcode.has("hi"))
    return for_integer(opcode.type(), []<typename T>(Type<T>) {
      return lane_by_lane<T, T>([](T a, T b) { return high_half(a, b); });
    });
  return for_number(opcode.type(), []<typename T>(Type<T>) {
    return lane_by_lane<T, T>([](T a, T b) { return wrapping(a, b, [](auto x, auto y) { return x * y; }); });
  });
}

Operation product_and_sum(const Opcode& opcode) {
  if (opcode.has("wide"))
    return for_integer(opcode.type(), []<typename T>(Type<T>) -> Operation {
      if constexpr (sizeof(T) == 8)
        return {};
      else
        return lane_by_lane<T, T, Twice<T>>(
            [](T a, T b, Twice<T> c) { return static_cast<Twice<T>>(Twice<T>{a} * Twice<T>{b} + c); });
    });
  if (!opcode.has("lo")) return {};
  return for_integer(opcode.type(), []<typename T>(Type<T>) {
    return lane_by_lane<T, T, T>([](T a, T b, T c) {
      return static_cast<T>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b) +
                            static_cast<std::uint64_t>(c));
    });
  });
}

Operation fused_product_and_sum(const Opcode& opcode) {
  return for_float(opcode.type(), []<typename T>(Type<T>) {
    return lane_by_lane<T, T, T>([](T a, T b, T c) { return std::fma(a, b, c); });
  });
}

/// Of integers, division by zero gives all ones, as the hardware does.
Operation quotient(const Opcode& opcode) {
  return for_number(opcode.type(), []<typename T>(Type<T>) {
    return lane_by_lane<T, T>([](T a, T b) {
      if constexpr (std::is_integral_v<T>)
        if (b == 0) return static_cast<T>(-1);
      return static_cast<T>(a / b);
    });
  });
}

Operation remainder(const Opcode& opcode) {
  return for_integer(opcode.type(), []<typename T>(Type<T>) {
    return lane_by_lane<T, T>([](T a, T b) { return b == 0 ? a : static_cast<T>(a % b); });
  });
}

/// Of floats, the one that is no NaN, but with the modifier NaN.
Operation extremum(const Opcode& opcode) {
  const bool is_max = opcode.name == "max";
  const bool keeps_nan = opcode.has("NaN");
  return for_number(opcode.type(), [=]<typename T>(Type<T>) {
    return lane_by_lane<T, T>([=](T a, T b) {
      if constexpr (std::is_floating_point_v<T>) {
        if (keeps_nan && (std::isnan(a) || std::isnan(b))) return std::isnan(a) ? a : b;
        return is_max ? std::fmax(a, b) : std::fmin(a, b);
      } else {
        return is_max ? std::max(a, b) : std::min(a, b);
      }
    });
  });
}

Operation negation(const Opcode& opcode) {
  return for_number(opcode.type(),
                    []<typename T>(Type<T>) { return lane_by_lane<T>([](T a) { return static_cast<T>(-a); }); });
}

Operation magnitude(const Opcode& opcode) {
  return for_number(opcode.type(), []<typename T>(Type<T>) -> Operation {
    if constexpr (std::is_unsigned_v<T>)
      return {};
    else
      return lane_by_lane<T>([](T a) { return static_cast<T>(std::abs(a)); });
  });
}

/// The second operand with the sign of the first.
Operation sign_copied(const Opcode& opcode) {
  return for_float(opcode.type(), []<typename T>(Type<T>) {
    return lane_by_lane<T, T>([](T a, T b) { return std::copysign(b, a); });
  });
}

Operation function_of_one(const Opcode& opcode) {
  float (*function)(float) = nullptr;
  if (opcode.name == "rcp") function = [](float x) { return 1 / x; };
  if (opcode.name == "sqrt") function = std::sqrt;
  if (opcode.name == "rsqrt")
    function = [](float x) { return static_cast<float>(1 / std::sqrt(static_cast<double>(x))); };
  if (opcode.name == "ex2") function = std::exp2;
  if (opcode.name == "lg2") function = std::log2;
  if (opcode.name == "sin") function = std::sin;
  if (opcode.name == "cos") function = std::cos;
  if (opcode.name == "tanh") function = std::tanh;
  if (function == nullptr || opcode.type() != "f32") return {};
  // With ftz, numbers below the normal ones count as zeros.
  const bool flushes = opcode.has("ftz");
  return lane_by_lane<float>([=](float x) {
    const auto flushed = [=](float y) { return flushes && std::fabs(y) < 0x1p-126F ? std::copysign(0.0F, y) : y; };
    return flushed(function(flushed(x)));
  });
}

Operation bitwise(const Opcode& opcode) {
  if (opcode.type() == "pred") {
    if (opcode.name == "and") return lane_by_lane<bool, bool>([](bool a, bool b) { return a && b; });
    if (opcode.name == "or") return lane_by_lane<bool, bool>([](bool a, bool b) { return a || b; });
    if (opcode.name == "xor") return lane_by_lane<bool, bool>([](bool a, bool b) { return a != b; });
    return lane_by_lane<bool>([](bool a) { return !a; });
  }
  return for_integer(opcode.type(), [&]<typename T>(Type<T>) {
    if (opcode.name == "and") return lane_by_lane<T, T>([](T a, T b) { return static_cast<T>(a & b); });
    if (opcode.name == "or") return lane_by_lane<T, T>([](T a, T b) { return static_cast<T>(a | b); });
    if (opcode.name == "xor") return lane_by_lane<T, T>([](T a, T b) { return static_cast<T>(a ^ b); });
    return lane_by_lane<T>([](T a) { return static_cast<T>(~a); });
  });
}

/// Shifts by more than the width leave zeros, or the sign.
Operation shift(const Opcode& opcode) {
  const bool left = opcode.name == "shl";
  return for_integer(opcode.type(), [=]<typename T>(Type<T>) {
    return lane_by_lane<T, std::uint32_t>([=](T a, std::uint32_t count) {
      constexpr std::uint32_t kWidth = 8 * sizeof(T);
      if (left) return static_cast<T>(count >= kWidth ? 0 : static_cast<std::make_unsigned_t<T>>(a) << count);
      return static_cast<T>(count >= kWidth ? (a < 0 ? -1 : 0) : a >> count);
    });
  });
}

/// The shift of two registers side by side.
Operation funnel_shift(const Opcode& opcode) {
  const bool left = opcode.has("l");
  const bool wraps = opcode.has("wrap");
  return lane_by_lane<std::uint32_t, std::uint32_t, std::uint32_t>(
      [=](std::uint32_t low, std::uint32_t high, std::uint32_t count) {
        count = wraps ? count % 32 : std::min(count, 32U);
        const std::uint64_t both = std::uint64_t{high} << 32 | low;
        return static_cast<std::uint32_t>(left ? both << count >> 32 : both >> count);
      });
}

/// bfi d, a, b, position, length: `length` bits of a take their place in b.
Operation bit_field_insertion(const Opcode& opcode) {
  return for_integer(opcode.type(), []<typename T>(Type<T>) {
    return lane_by_lane<T, T, std::uint32_t, std::uint32_t>([](T a, T b, std::uint32_t position, std::uint32_t length) {
      position &= 0xffU;
      length &= 0xffU;
      if (position >= 8 * sizeof(T)) return b;
      const Word mask = (length >= 64 ? ~Word{0} : (Word{1} << length) - 1) << position;
      return static_cast<T>((static_cast<Word>(b) & ~mask) | (static_cast<Word>(a) << position & mask));
    });
  });
}

Operation bit_field_extraction(const Opcode& opcode) {
  return for_integer(opcode.type(), []<typename T>(Type<T>) -> Operation {
    if constexpr (std::is_signed_v<T>)
      return {};
    else
      return lane_by_lane<T, std::uint32_t, std::uint32_t>([](T a, std::uint32_t position, std::uint32_t length) {
        position &= 0xffU;
        length &= 0xffU;
        const Word shifted = position >= 8 * sizeof(T) ? 0 : static_cast<Word>(a) >> position;
        return static_cast<T>(shifted & (length >= 64 ? ~Word{0} : (Word{1} << length) - 1));
      });
  });
}

/// prmt: each byte of the result is one of the eight of {a, b}, or its sign.
Operation permutation(const Opcode& opcode) {
  if (opcode.modifiers.size() != 1) return {};
  return lane_by_lane<std::uint32_t, std::uint32_t, std::uint32_t>(
      [](std::uint32_t a, std::uint32_t b, std::uint32_t selector) {
        const std::uint64_t bytes = std::uint64_t{b} << 32 | a;
        std::uint32_t result = 0;
        for (int i = 0; i < 4; ++i) {
          const std::uint32_t choice = selector >> (4 * i) & 0xfU;
          auto byte = static_cast<std::uint32_t>(bytes >> (8 * (choice & 7U)) & 0xffU);
          if ((choice & 8U) != 0) byte = (byte & 0x80U) != 0 ? 0xffU : 0U;
          result |= byte << (8 * i);
        }
        return result;
      });
}

Operation count_of_bits(const Opcode& opcode) {
  return for_integer(opcode.type(), [&]<typename T>(Type<T>) -> Operation {
    if constexpr (std::is_signed_v<T> || sizeof(T) == 2) {
      return {};
    } else {
      if (opcode.name == "clz")
        return lane_by_lane<T>([](T a) { return static_cast<std::int32_t>(std::countl_zero(a)); });
      return lane_by_lane<T>([](T a) { return static_cast<std::int32_t>(std::popcount(a)); });
    }
  });
}

Operation bit_reversal(const Opcode& opcode) {
  return for_integer(opcode.type(), [&]<typename T>(Type<T>) -> Operation {
    return lane_by_lane<T>([](T a) {
      T reversed = 0;
      for (std::size_t i = 0; i < 8 * sizeof(T); ++i) reversed = static_cast<T>(reversed << 1 | (a >> i & 1));
      return reversed;
    });
  });
}

/// Comparisons of floats hold for no NaN, but those that end in u.
template <typename T>
bool compare(std::string_view how, T a, T b) {
  bool unordered = false;
  if constexpr (std::is_floating_point_v<T>) unordered = std::isnan(a) || std::isnan(b);
  if (how == "num") return !unordered;
  if (how == "nan") return unordered;
  if (how.size() == 3) {
    if (unordered) return true;
    how.remove_suffix(1);
  }
  if (unordered) return false;
  if (how == "eq") return a == b;
  if (how == "ne") return a != b;
  if (how == "lt" || how == "lo") return a < b;
  if (how == "le" || how == "ls") return a <= b;
  if (how == "gt" || how == "hi") return a > b;
  if (how == "ge" || how == "hs") return a >= b;
  throw Fault("does not know the comparison '" + std::string(how) + "'");
}

Operation comparison(const Opcode& opcode) {
  const std::string how(opcode.modifiers.front());
  const bool is_known = opcode.modifiers.size() == 2 || (opcode.modifiers.size() == 3 && opcode.has("ftz"));
  if (!is_known) return {};
  return for_number(opcode.type(), [&]<typename T>(Type<T>) {
    return lane_by_lane<T, T>([how](T a, T b) { return compare<T>(how, a, b); });
  });
}

Operation selection(const Opcode& opcode) {
  return for_number(opcode.type(), []<typename T>(Type<T>) {
    return lane_by_lane<T, T, bool>([](T a, T b, bool first) { return first ? a : b; });
  });
}

}  // namespace

Operation arithmetic(const Opcode& opcode) {
  const std::string_view name = opcode.name;
  if (name == "add") return sum(opcode);
  if (name == "sub") return difference(opcode);
  if (name == "mul") return product(opcode);
  if (name == "mad") return product_and_sum(opcode);
  if (name == "fma") return fused_product_and_sum(opcode);
  if (name == "div") return quotient(opcode);
  if (name == "rem") return remainder(opcode);
  if (name == "max" || name == "min") return extremum(opcode);
  if (name == "neg") return negation(opcode);
  if (name == "abs") return magnitude(opcode);
  if (name == "copysign") return sign_copied(opcode);
  if (name == "and" || name == "or" || name == "xor" || name == "not") return bitwise(opcode);
  if (name == "shl" || name == "shr") return shift(opcode);
  if (name == "shf") return funnel_shift(opcode);
  if (name == "bfi") return bit_field_insertion(opcode);
  if (name == "bfe") return bit_field_extraction(opcode);
  if (name == "prmt") return permutation(opcode);
  if (name == "clz" || name == "popc") return count_of_bits(opcode);
  if (name == "brev") return bit_reversal(opcode);
  if (name == "setp") return comparison(opcode);
  if (name == "selp") return selection(opcode);
  return function_of_one(opcode);
}

}  // namespace flashbias::emulator
