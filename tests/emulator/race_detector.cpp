#include "tests/emulator/race_detector.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace flashbias::emulator {

void Clock::join(const Clock& other) {
  for (std::size_t i = 0; i < times_.size(); ++i) times_[i] = std::max(times_[i], other.times_[i]);
}

RaceDetector::RaceDetector(std::size_t bytes, unsigned warps) : cells_(bytes), clocks_(warps) {
  if (warps > Clock::kMaxWarps) throw Fault("a block of more than 32 warps");
  for (unsigned warp = 0; warp < warps; ++warp) clocks_[warp].tick(warp);
}

void RaceDetector::read(unsigned warp, std::size_t address, std::size_t size) {
  for (std::size_t i = address; i < address + size; ++i) {
    Cell& cell = cells_[i];
    if (!is_ordered(cell, warp))
      throw Fault(fmt::format("race: warp {} reads shared byte {:#x}, which warp {} writes", warp, i, cell.writer));
    if (cell.read_times.empty()) cell.read_times.resize(clocks_.size());
    cell.read_times[warp] = clocks_[warp].of(warp);
  }
}

void RaceDetector::write(unsigned warp, std::size_t address, std::size_t size) {
  for (std::size_t i = address; i < address + size; ++i) {
    Cell& cell = cells_[i];
    if (!is_ordered(cell, warp))
      throw Fault(fmt::format("race: warps {} and {} write shared byte {:#x}", cell.writer, warp, i));
    for (unsigned reader = 0; reader < cell.read_times.size(); ++reader)
      if (cell.read_times[reader] > clocks_[warp].of(reader))
        throw Fault(fmt::format("race: warp {} writes shared byte {:#x}, which warp {} reads", warp, i, reader));
    cell.writer = warp;
    cell.write_time = clocks_[warp].of(warp);
    cell.read_times.clear();
  }
}

void RaceDetector::release(unsigned warp, Clock& into) {
  into.join(clocks_[warp]);
  clocks_[warp].tick(warp);
}

void RaceDetector::acquire(unsigned warp, const Clock& from) { clocks_[warp].join(from); }

}  // namespace flashbias::emulator
