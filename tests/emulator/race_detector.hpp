#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/emulator/module.hpp"

namespace flashbias::emulator {

/// How far somebody knows the others to have come: a vector clock over the warps of a block.
class Clock {
 public:
  static constexpr unsigned kMaxWarps = 32;

  void join(const Clock& other);
  [[nodiscard]] std::uint32_t of(unsigned warp) const { return times_[warp]; }
  void tick(unsigned warp) { ++times_[warp]; }

 private:
  std::array<std::uint32_t, kMaxWarps> times_{};
};

/// Finds accesses to shared memory by two warps, one of them a write, that no barrier orders. Lanes of one warp run in
/// step here, so that what lacks a __syncwarp is not found.
class RaceDetector {
 public:
  /// Throws Fault for more than 32 warps.
  RaceDetector(std::size_t bytes, unsigned warps);

  // Throw Fault where the access races with an earlier one.
  void read(unsigned warp, std::size_t address, std::size_t size);
  void write(unsigned warp, std::size_t address, std::size_t size);

  /// What the warp did until now comes before what those do who acquire the clock later.
  void release(unsigned warp, Clock& into);
  void acquire(unsigned warp, const Clock& from);

 private:
  struct Cell {
    std::uint32_t write_time = 0;  ///< 0: never
    std::uint32_t writer = 0;
    std::vector<std::uint32_t> read_times{};  ///< by warp; empty where nobody has read since the last write
  };
  [[nodiscard]] bool is_ordered(const Cell& cell, unsigned warp) const {
    return cell.write_time <= clocks_[warp].of(cell.writer);
  }

  std::vector<Cell> cells_;  ///< a byte
  std::vector<Clock> clocks_;
};

}  // namespace flashbias::emulator
