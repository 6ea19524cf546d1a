#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "flashbias/jit.hpp"

namespace flashbias::runtime {

/// A counter whose increments do not make threads wait for each other: each counts on a cache line of its own.
class ShardedCounter {
 public:
  void increment() noexcept { shards_[shard_of_thread()].count.fetch_add(1, std::memory_order_relaxed); }

  [[nodiscard]] std::uint64_t total() const noexcept {
    std::uint64_t sum = 0;
    for (const auto& shard : shards_) sum += shard.count.load(std::memory_order_relaxed);
    return sum;
  }

 private:
  static constexpr std::size_t kShards = 64;
  static constexpr std::size_t kCacheLine = 64;
  struct alignas(kCacheLine) Shard {
    std::atomic<std::uint64_t> count = 0;
  };

  static std::size_t shard_of_thread() noexcept {
    static std::atomic<std::size_t> threads = 0;
    thread_local const std::size_t shard = threads.fetch_add(1, std::memory_order_relaxed) % kShards;
    return shard;
  }

  std::array<Shard, kShards> shards_;
};

/// What a cache counts.
class CacheCounters {
 public:
  void count_memory_hit() noexcept { memory_hits_.increment(); }
  void count(const jit::Lookup& lookup) noexcept;
  [[nodiscard]] jit::Counters read() const noexcept;

 private:
  ShardedCounter memory_hits_;
  std::array<std::atomic<std::uint64_t>, 4> by_origin_{};  ///< in the order of Origin
  std::array<std::atomic<std::uint64_t>, 4> by_reason_{};  ///< in the order of MissReason
  std::atomic<std::uint64_t> failures_ = 0;
  std::atomic<double> compile_ms_ = 0;
};

}  // namespace flashbias::runtime
