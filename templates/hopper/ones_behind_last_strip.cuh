#pragma once

#include "fragments.cuh"
#include "hopper/ones_strip.cuh"
#include "hopper/products.cuh"

// A tile of values and, behind its last strip in shared memory, the ones, as right operands of products: of the strips
// before it, and of the last.
class ValuesAndOnes {
 public:
  __device__ __forceinline__ ValuesAndOnes(const ValueTile& values, const Ones& ones)
      : first_strips_(values.descriptor()),
        last_strip_(values.descriptor(0, ones.bytes_behind(shared_address(values.bytes) + kLastStrip)) +
                    kLastStrip / 16) {}

  // Starts output += probabilities values, of 16 rows.
  __device__ __forceinline__ void multiply(Output& output, const u32 (&probabilities)[4], int row) const {
    multiply_output(output.values[0], probabilities, first_strips_ + ValueTile::row_step(row));
    multiply_output(output.values[0], output.sums[0], probabilities,
                    last_strip_ + ValueTile::row_step_before_strip(row));
  }

 private:
  static constexpr u32 kLastStrip = ValueTile::kBytes - ValueTile::kStripBytes;

  unsigned long long first_strips_, last_strip_;
};
