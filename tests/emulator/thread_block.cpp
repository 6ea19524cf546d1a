#include "tests/emulator/thread_block.hpp"

#include <fmt/format.h>

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

namespace flashbias::emulator {
namespace {

constexpr int kFruitlessRounds = 10000;  // after which nobody will wake anybody
constexpr std::byte kPoison{0xff};

}  // namespace

ThreadBlock::ThreadBlock(const Launch& launch, unsigned index)
    : launch_(&launch),
      index_(index),
      shared_(kSharedStart + launch.shared_bytes, kPoison),
      parameters_(launch.parameters.begin(), launch.parameters.end()) {
  for (unsigned warp = 0; warp * kLanes < launch.threads; ++warp) warps_.emplace_back(*this, warp, launch.threads);
  if (launch.finds_races) race_detector_.emplace(shared_.size(), static_cast<unsigned>(warps_.size()));
}

void ThreadBlock::run() {
  int fruitless = 0;
  for (bool all_finished = false; !all_finished;) {
    all_finished = true;
    ++fruitless;
    for (Warp& warp : warps_) {
      const Warp::Progress progress = warp.run();
      if (progress == Warp::Progress::ran) fruitless = 0;
      all_finished &= progress == Warp::Progress::finished;
    }
    if (fruitless < kFruitlessRounds) continue;
    std::string text = fmt::format("block {} is deadlocked:", index_);
    for (const Warp& warp : warps_) text += fmt::format("\n  warp {}: {}", warp.index(), warp.position());
    throw Fault(text);
  }
}

NamedBarrier& ThreadBlock::arrive(const Warp& warp, unsigned barrier, unsigned threads) {
  NamedBarrier& at = barriers_[barrier];
  at.arrived += kLanes;
  if (race_detector_) race_detector_->release(warp.index(), at.clock);
  if (at.arrived >= threads) {
    at.arrived = 0;
    ++at.generation;
  }
  return at;
}

void ThreadBlock::synchronize(Warp& warp, unsigned barrier, unsigned threads) {
  const unsigned generation = barriers_[barrier].generation;
  NamedBarrier& at = arrive(warp, barrier, threads);
  warp.wait_until([this, &at, index = warp.index(), generation] {
    if (at.generation == generation) return false;
    if (race_detector_) race_detector_->acquire(index, at.clock);
    return true;
  });
}

TransactionBarrier& ThreadBlock::transaction_barrier(Word shared_address) {
  const auto found = transaction_barriers_.find(shared_address);
  if (found == transaction_barriers_.end())
    throw Fault(fmt::format("there is no mbarrier at {:#x} of shared memory", shared_address));
  return found->second;
}

void ThreadBlock::initialise_transaction_barrier(Word shared_address, unsigned count) {
  TransactionBarrier& barrier = transaction_barriers_[shared_address] = {};
  barrier.count = barrier.pending = count;
}

void run(const Launch& launch) {
  std::atomic<unsigned> next = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    try {
      for (unsigned index = next++; index < launch.blocks; index = next++) ThreadBlock(launch, index).run();
    } catch (...) {
      next = launch.blocks;
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 1; i < std::min(launch.blocks, std::thread::hardware_concurrency()); ++i)
      threads.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace flashbias::emulator
