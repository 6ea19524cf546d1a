#pragma once

#include "fragments.cuh"
#include "hopper/ones_strip.cuh"
#include "hopper/products.cuh"

// A tile of values of one strip and, behind it in shared memory, the ones, as the right operand of products.
class ValuesAndOnes {
 public:
  __device__ __forceinline__ ValuesAndOnes(const ValueTile& values, const Ones& ones)
      : descriptor_(values.descriptor(0, ones.bytes_behind(shared_address(values.bytes)))) {}

  // Starts output += probabilities values, of 16 rows.
  __device__ __forceinline__ void multiply(Output& output, const u32 (&probabilities)[4], int row) const {
    multiply_output(output.values[0], output.sums[0], probabilities,
                    descriptor_ + ValueTile::row_step_before_strip(row));
  }

 private:
  unsigned long long descriptor_;
};
