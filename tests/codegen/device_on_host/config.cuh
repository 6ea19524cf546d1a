#pragma once

// Stands in for templates/config.cuh where a host compiler reads device code: what CUDA provides, and sizes and
// functions that a test sets.

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>

#define __device__
#define __forceinline__ inline

using std::isfinite;
using std::isnan;
using std::max;
using std::min;
using std::signbit;
using i64 = long long;
using u32 = unsigned int;

inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }

inline u32 __float_as_uint(float a) { return std::bit_cast<u32>(a); }
inline float __uint_as_float(u32 a) { return std::bit_cast<float>(a); }
inline int __clzll(i64 a) { return std::countl_zero(static_cast<unsigned long long>(a)); }
inline void atomicAdd(unsigned long long* sum, unsigned long long addend) { *sum += addend; }
inline void atomicOr(unsigned long long* bits, unsigned long long others) { *bits |= others; }

inline int kBlockQ = 0;
inline int kBlockK = 0;

[[maybe_unused]] inline struct { u32 x; } blockIdx, gridDim;

struct Parameters {
  int heads, q_tiles, q_length, kv_length, work_items = 0;
  bool causal;
  std::function<int(int)> first_key, end_key;  // of a query
};
