#include <doctest/doctest.h>

#include <algorithm>
#include <utility>
#include <vector>

// The device code itself, as it stands in templates/.
#include "device_on_host/longest_with_shortest.cuh"

namespace flashbias::testing {
namespace {

constexpr int kBatch = 2;
constexpr int kHeads = 3;

Parameters causal_problem(int heads, int q_length, int kv_length) {
  kBlockK = 16;
  Parameters p{.heads = heads,
               .q_tiles = (q_length + kBlockQ - 1) / kBlockQ,
               .q_length = q_length,
               .kv_length = kv_length,
               .causal = true,
               .first_key = [](int) { return 0; },
               .end_key = [=](int) { return kv_length; }};
  p.work_items = kBatch * heads * ((p.q_tiles + 1) / 2);
  return p;
}

/// The blocks of each of so many persistent thread blocks.
std::vector<std::vector<Block>> blocks_of(const Parameters& p, int thread_blocks) {
  std::vector<std::vector<Block>> all(static_cast<std::size_t>(thread_blocks));
  gridDim.x = static_cast<u32>(thread_blocks);
  for (blockIdx.x = 0; blockIdx.x < gridDim.x; ++blockIdx.x)
    for (Schedule schedule(p); schedule.has_next();) all[blockIdx.x].push_back(schedule.next());
  return all;
}

}  // namespace

TEST_CASE("persistent thread blocks do each causal block once, whichever lengths") {
  for (kBlockQ = 1; kBlockQ <= 4; ++kBlockQ)
    for (int q_length = 1; q_length <= 24; ++q_length)
      for (const int kv_length : {1, 2, 5, 8, 13, 24, 40})
        for (const int thread_blocks : {1, 2, 5, 12}) {
          const Parameters p = causal_problem(kHeads, q_length, kv_length);
          std::vector<int> times(static_cast<std::size_t>(kBatch * kHeads * p.q_tiles));
          for (const std::vector<Block>& blocks : blocks_of(p, thread_blocks))
            for (const Block& block : blocks)
              ++times.at(
                  static_cast<std::size_t>((block.batch * kHeads + block.head) * p.q_tiles + block.q_start / kBlockQ));
          CAPTURE(kBlockQ);
          CAPTURE(q_length);
          CAPTURE(kv_length);
          CAPTURE(thread_blocks);
          CHECK(std::ranges::count(times, 1) == static_cast<std::ptrdiff_t>(times.size()));
        }
}

TEST_CASE("no persistent thread block has many more causal scores than others") {
  constexpr int kThreadBlocks = 132;
  kBlockQ = 128;
  for (const auto& [q_length, kv_length] :
       {std::pair{4096, 4096}, {4096, 1000}, {1000, 4096}, {4096, 3968}, {700, 90}}) {
    const Parameters p = causal_problem(132, q_length, kv_length);
    std::vector<int> keys;
    for (const std::vector<Block>& blocks : blocks_of(p, kThreadBlocks)) {
      keys.push_back(0);
      for (const Block& block : blocks) keys.back() += block.kv_end;
    }
    CAPTURE(q_length);
    CAPTURE(kv_length);
    CHECK(std::ranges::max(keys) <= 1.15 * std::ranges::min(keys));
  }
}

}  // namespace flashbias::testing
