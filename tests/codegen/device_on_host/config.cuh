#pragma once

// Stands in for templates/config.cuh where a host compiler reads device code: what CUDA provides, and sizes and
// functions that a test sets.

#include <algorithm>
#include <cmath>
#include <functional>

#define __device__
#define __forceinline__ inline

using std::isnan;
using std::max;
using std::min;
using std::signbit;
using u32 = unsigned int;

inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }

inline int kBlockQ = 0;
inline int kBlockK = 0;

[[maybe_unused]] inline struct { u32 x; } blockIdx;

struct Parameters {
  int heads, q_tiles, q_length, kv_length;
  bool causal;
  std::function<int(int)> first_key, end_key;  // of a query
};
