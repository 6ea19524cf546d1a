#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tests/emulator/address.hpp"
#include "tests/emulator/module.hpp"
#include "tests/emulator/race_detector.hpp"

namespace flashbias::emulator {

/// Whether a launch may touch these bytes of global memory.
using IsAllocated = std::function<bool(const void* address, std::size_t size)>;

struct Launch {
  const Kernel* kernel = nullptr;
  unsigned blocks = 0;
  unsigned threads = 0;  ///< a block
  std::size_t shared_bytes = 0;
  std::span<const std::byte> parameters;
  IsAllocated is_allocated;
  bool finds_races = false;
};

/// Runs all blocks, on all cores. Throws Fault for what compute-sanitizer would report (accesses out of bounds, races
/// in shared memory where they are looked for), for barriers that are waited at in vain, and for what the emulator does
/// not know.
void run(const Launch& launch);

/// bar.sync's and bar.arrive's, of one number.
struct NamedBarrier {
  unsigned arrived = 0;
  unsigned generation = 0;
  Clock clock;
};

/// mbarrier's: a phase ends when all have arrived and all bytes that were expected have come.
struct TransactionBarrier {
  unsigned count = 0;
  unsigned pending = 0;
  std::int64_t pending_bytes = 0;
  unsigned phase = 0;
  Clock arrived{};   ///< of those who arrived in this phase
  Clock complete{};  ///< of those who ended the phase before

  void advance_if_complete() {
    if (pending != 0 || pending_bytes != 0) return;
    pending = count;
    ++phase;
    complete = arrived;
  }
};

class ThreadBlock;

enum class Access : std::uint8_t { read, write };

/// Lanes that are at the same instruction.
struct Path {
  std::size_t at = 0;
  Mask lanes = 0;
};

class Warp {
 public:
  Warp(ThreadBlock& block, unsigned index, unsigned threads);

  enum class Progress : std::uint8_t { finished, ran, waiting };
  /// Runs until it must wait or has run for a while.
  Progress run();

  [[nodiscard]] ThreadBlock& block() const { return *block_; }
  [[nodiscard]] unsigned index() const { return index_; }
  /// Lanes that have not left the kernel.
  [[nodiscard]] Mask live() const;
  /// `line 12, mma.sync...`: for messages.
  [[nodiscard]] std::string position() const;

  [[nodiscard]] Word get(const Value& value, int lane) const {
    return value.reg ? registers_[*value.reg][static_cast<std::size_t>(lane)] : value.number;
  }
  void set(const Value& value, int lane, Word word) {
    if (value.reg) registers_[*value.reg][static_cast<std::size_t>(lane)] = word;
  }

  /// The host's address of `size` bytes. Throws Fault where they are not the kernel's to touch.
  std::byte* resolve(Space space, Word address, std::size_t size, int lane, Access access);

  /// Stays at the next instruction until the condition holds.
  void wait_until(std::function<bool()> condition) { condition_ = std::move(condition); }
  /// Lets the other warps run.
  void yield() { yields_ = true; }

  /// cp.async: what was asked for comes when it is waited for, no earlier.
  struct Copy {
    Word to = 0;  ///< in shared memory
    const std::byte* from = nullptr;
    std::size_t bytes = 0;
    std::size_t source_bytes = 0;
  };
  std::vector<Copy> uncommitted_copies;
  std::deque<std::vector<Copy>> committed_copies;

  /// wgmma: elements of shared memory that products under way may still read; kept where races are looked for.
  std::vector<Word> uncommitted_reads;
  std::deque<std::vector<Word>> committed_reads;

 private:
  void step();
  [[nodiscard]] std::size_t choose_path() const;
  [[nodiscard]] Mask guarded(const Instruction& instruction, Mask lanes) const;
  void branch(std::size_t path, std::size_t target, Mask jumping);
  void merge_paths();

  ThreadBlock* block_;
  unsigned index_;
  std::vector<Lanes> registers_;
  std::vector<std::vector<std::byte>> local_;
  std::vector<Path> paths_;  ///< by their instruction, first ones first
  std::size_t current_ = 0;
  std::function<bool()> condition_;
  bool yields_ = false;
};

class ThreadBlock {
 public:
  ThreadBlock(const Launch& launch, unsigned index);

  void run();

  [[nodiscard]] const Launch& launch() const { return *launch_; }
  [[nodiscard]] unsigned index() const { return index_; }
  [[nodiscard]] std::vector<std::byte>& shared() { return shared_; }
  [[nodiscard]] std::vector<std::byte>& parameters() { return parameters_; }

  /// The warp is one of `threads` threads at the barrier of that number, and goes on ...
  NamedBarrier& arrive(const Warp& warp, unsigned barrier, unsigned threads);
  /// ... or waits for the others.
  void synchronize(Warp& warp, unsigned barrier, unsigned threads);
  [[nodiscard]] TransactionBarrier& transaction_barrier(Word shared_address);
  /// Nothing where races are not looked for.
  [[nodiscard]] RaceDetector* race_detector() { return race_detector_ ? &*race_detector_ : nullptr; }
  void initialise_transaction_barrier(Word shared_address, unsigned count);

 private:
  const Launch* launch_;
  unsigned index_;
  std::vector<std::byte> shared_;
  std::vector<std::byte> parameters_;
  std::vector<Warp> warps_;
  std::map<unsigned, NamedBarrier> barriers_;
  std::map<Word, TransactionBarrier> transaction_barriers_;
  std::optional<RaceDetector> race_detector_;
};

/// Calls the function with each lane of the mask.
template <typename Function>
void for_each_lane(Mask lanes, Function function) {
  for (int lane = 0; lane < kLanes; ++lane)
    if ((lanes >> lane & 1U) != 0) function(lane);
}

}  // namespace flashbias::emulator
