#pragma once

#include "element.cuh"
#include "fragments.cuh"
#include "hopper/products.cuh"
#include "hopper/swizzled_tile.cuh"
#include "hopper/warpgroup.cuh"

using ValueTile = SwizzledTile<kBlockK, kHeadDimV>;

// Eight columns of ones that one product takes together with the values: they sum probabilities as the tensor cores see
// them, for a quarter of what a product of their own would take. To wgmma they are the strip behind that of the values.
struct Ones {
  static constexpr int kPairs = 16 * ValueTile::kRowBytes / 4;  // of 16 rows; alike, so that no swizzle matters

  alignas(1024) u32 pairs[kPairs];

  __device__ __forceinline__ void fill() {
    for (int i = static_cast<int>(threadIdx.x); i < kPairs; i += kThreads + kWarpgroupThreads)
      pairs[i] = Element::pack(1.0f, 1.0f);
    publish_to_async_proxy();
  }
};

// A tile of values and, behind it in shared memory, the ones, as the right operand of products.
class ValuesAndOnes {
 public:
  __device__ __forceinline__ ValuesAndOnes(const ValueTile& values, const Ones& ones)
      : descriptor_(values.descriptor(0, shared_address(ones.pairs) - shared_address(values.bytes))) {}

  // Starts output += probabilities values, of 16 rows.
  __device__ __forceinline__ void multiply(Output& output, const u32 (&probabilities)[4], int row) const {
    multiply_output(output.values[0], output.sums[0], probabilities,
                    descriptor_ + ValueTile::row_step_before_strip(row));
  }

 private:
  unsigned long long descriptor_;
};
