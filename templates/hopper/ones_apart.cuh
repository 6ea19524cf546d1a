#pragma once

#include "element.cuh"
#include "fragments.cuh"
#include "hopper/async_proxy.cuh"
#include "hopper/products.cuh"
#include "hopper/value_tile.cuh"
#include "hopper/warpgroup.cuh"

// A right operand of 16 rows and 8 columns, all ones: it sums probabilities as the tensor cores see them.
struct Ones {
  static constexpr int kPairs = 64;

  alignas(128) u32 pairs[kPairs];

  __device__ __forceinline__ void fill() {
    if (threadIdx.x >= kPairs) return;
    pairs[threadIdx.x] = Element::pack(1.0f, 1.0f);
    publish_to_async_proxy();
  }
  // Without a swizzle: groups of eight rows, and of eight columns, are 128 bytes apart.
  __device__ __forceinline__ unsigned long long descriptor() const {
    return 8ull << 32 | 8ull << 16 | (shared_address(pairs) & 0x3ffff) >> 4;
  }
};

// A tile of values and the ones, as right operands of products.
class ValuesAndOnes {
 public:
  __device__ __forceinline__ ValuesAndOnes(const ValueTile& values, const Ones& ones)
      : values_(values.descriptor()), ones_(ones.descriptor()) {}

  // Starts output += probabilities values, of 16 rows.
  __device__ __forceinline__ void multiply(Output& output, const u32 (&probabilities)[4], int row) const {
    multiply_output(output.values[0], probabilities, values_ + ValueTile::row_step(row));
    multiply_ones(output.sums[0], probabilities, ones_);
  }

 private:
  unsigned long long values_, ones_;
};
