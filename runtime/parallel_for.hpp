#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <future>
#include <thread>
#include <vector>

namespace flashbias::runtime {

[[nodiscard]] inline std::int64_t core_count() {
  return std::max<std::int64_t>(std::thread::hardware_concurrency(), 1);
}

/// Calls work(0) to work(count - 1) on all cores, in no order. Rethrows what one of them throws.
template <class Work>
void parallel_for(std::int64_t count, Work work) {
  std::atomic<std::int64_t> next = 0;
  const auto take_turns = [&] {
    for (std::int64_t i = next++; i < count; i = next++) work(i);
  };
  std::vector<std::future<void>> helpers;  // each waits for its thread as it is destroyed
  for (std::int64_t i = 1; i < std::min(core_count(), count); ++i)
    helpers.push_back(std::async(std::launch::async, take_turns));
  take_turns();
  for (std::future<void>& helper : helpers) helper.get();
}

}  // namespace flashbias::runtime
