#pragma once

#include "codegen/backward_bias_emitter.hpp"
#include "codegen/bias_program.hpp"
#include "flashbias/plan.hpp"

namespace flashbias::codegen {

/// Names of the tables that scores look up in shared memory, with their entries.
struct SharedTable {
  std::string name;
  int entries = 0;
};
[[nodiscard]] std::vector<SharedTable> shared_tables(const BiasProgram& program);

/// 4-byte numbers a key that the hoisted score keeps in shared memory.
[[nodiscard]] int key_term_words(const BiasProgram& program);

/// Columns of a SwizzledTile of so many (templates/hopper/swizzled_tile.cuh): whole strips.
[[nodiscard]] int swizzled_columns(int columns);

/// Of a strip of these, which are behind each other.
[[nodiscard]] int strip_columns(int columns);

/// sizeof(SharedStorage) in the generated source, which asserts it.
[[nodiscard]] int shared_bytes(const AttentionConfig& config, const Tile& tile, const BiasProgram& program);

/// The same in the main loop for Hopper.
[[nodiscard]] int hopper_shared_bytes(const AttentionConfig& config, const Tile& tile, const BiasProgram& program);

/// The same of the backward pass, whose keys may add to queries.
[[nodiscard]] int backward_shared_bytes(const AttentionConfig& config, const Tile& tile, const BackwardBias& bias,
                                        bool adds_to_queries);

/// The same of its main loop for Hopper.
[[nodiscard]] int hopper_backward_shared_bytes(const AttentionConfig& config, const Tile& tile,
                                               const BackwardBias& bias, const BackwardPass& pass);

/// Where the eight columns of ones are that sum probabilities, to the products of values.
enum class PlaceOfOnes {
  behind_values,      ///< which fill a strip of columns: one product takes both. Ones take 4 cycles, apart 13
  behind_last_strip,  ///< of several: the product of the last takes them. D = 128 2 % faster than apart
  apart               ///< where the last strip is not full; and at D = 256, which is 8 % faster
};
[[nodiscard]] PlaceOfOnes place_of_ones(int head_dim_v);

}  // namespace flashbias::codegen
