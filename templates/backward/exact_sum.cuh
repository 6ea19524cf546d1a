#pragma once

#include "config.cuh"

using u64 = unsigned long long;

// A sum of numbers in global memory that is exact until it is rounded, and so the same in whatever order they come. It
// is a whole number of units of 2^-149, which every f32 is, of digits of 32 bits whose carries wait in the upper halves
// of their words until the end: there is room for 2^31 addends. A last word tells of addends that are no numbers.
struct ExactSum {
  static constexpr int kDigits = 9;  // 2^-149 to 2^128 are 277 bits
  static constexpr int kWords = kDigits + 1;
  static constexpr u64 kPositive = 1, kNegative = 2, kNoNumber = 4;  // infinite, or none

  // The digits that a finite number changes, and what is added to them.
  struct Addend {
    int digit;
    i64 low, high;
  };
  static __device__ __forceinline__ Addend split(float number) {
    const u32 bits = __float_as_uint(number);
    const int exponent = static_cast<int>(bits >> kMantissaBits & 0xffu);
    const u64 mantissa = (bits & kMantissa) | (exponent > 0 ? kMantissa + 1 : 0);
    const int place = max(exponent, 1) - 1;
    const u64 shifted = mantissa << place % 32;
    const i64 sign = bits >> 31 != 0 ? -1 : 1;
    return {place / 32, sign * static_cast<i64>(shifted & kDigit), sign * static_cast<i64>(shifted >> 32)};
  }
  // Of a number that is not finite.
  static __device__ __forceinline__ u64 kind(float number) {
    return isnan(number) ? kNoNumber : number > 0 ? kPositive : kNegative;
  }

  static __device__ __forceinline__ void add(u64* words, float number) {
    if (!isfinite(number)) {
      atomicOr(words + kDigits, kind(number));
      return;
    }
    const Addend addend = split(number);
    if (addend.low != 0) atomicAdd(words + addend.digit, static_cast<u64>(addend.low));
    if (addend.high != 0) atomicAdd(words + addend.digit + 1, static_cast<u64>(addend.high));
  }

  // To the nearest f32, of two that are as near the one with an even last bit.
  static __device__ __forceinline__ float round(const u64* words) {
    const u64 kinds = words[kDigits];
    if (kinds != 0)
      return __uint_as_float(kinds == kPositive ? kInfinity : kinds == kNegative ? kSign | kInfinity : kQuietNaN);
    u32 digits[kDigits + 1];
    i64 carry = 0;
#pragma unroll
    for (int i = 0; i < kDigits; ++i) {
      carry += static_cast<i64>(words[i] & kDigit);
      digits[i] = static_cast<u32>(carry);
      carry = (carry >> 32) + (static_cast<i64>(words[i]) >> 32);
    }
    digits[kDigits] = static_cast<u32>(carry);
    const bool negative = carry < 0;
    if (negative) negate(digits);
    return __uint_as_float((negative ? kSign : 0) | rounded(digits));
  }

 private:
  static constexpr int kMantissaBits = 23;
  static constexpr u32 kMantissa = 0x7fffffu, kSign = 0x80000000u, kInfinity = 0x7f800000u, kQuietNaN = 0x7fffffffu;
  static constexpr u64 kDigit = 0xffffffffu;

  static __device__ __forceinline__ void negate(u32 (&digits)[kDigits + 1]) {
    u64 carry = 1;
#pragma unroll
    for (int i = 0; i <= kDigits; ++i) {
      carry += static_cast<u64>(~digits[i]);
      digits[i] = static_cast<u32>(carry);
      carry >>= 32;
    }
  }
  // The bits of the f32. Numbers below 2^24 units are these themselves.
  static __device__ __forceinline__ u32 rounded(const u32 (&digits)[kDigits + 1]) {
    int first = 1;  // with the one below it
    u64 leading = static_cast<u64>(digits[1]) << 32 | digits[0];
    bool has_rest = false;
    bool has_digits = digits[0] != 0;  // below those of leading, once there are more
#pragma unroll
    for (int i = 2; i <= kDigits; ++i) {
      if (digits[i] != 0) {
        leading = static_cast<u64>(digits[i]) << 32 | digits[i - 1];
        first = i;
        has_rest = has_digits;
      }
      has_digits = has_digits || digits[i - 1] != 0;
    }
    if (leading >> (kMantissaBits + 1) == 0) return static_cast<u32>(leading);
    const int shift = 63 - kMantissaBits - __clzll(static_cast<i64>(leading));  // of what is cut off
    const u64 half = u64{1} << shift >> 1;
    const u64 rest = leading & ((u64{1} << shift) - 1);
    const u32 mantissa = static_cast<u32>(leading >> shift);
    const u32 exponent = static_cast<u32>(32 * (first - 1) + shift);
    const bool up = rest > half || (rest == half && (has_rest || mantissa % 2 != 0));
    const u32 bits = (exponent << kMantissaBits) + mantissa + (up ? 1 : 0);
    return bits < kInfinity ? bits : kInfinity;
  }
};
