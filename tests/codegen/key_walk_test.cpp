#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "codegen/mask.hpp"
#include "tests/codegen/mask_cases.hpp"
#include "tests/codegen/random_condition.hpp"

// The device code itself, as it stands in templates/.
#include "device_on_host/block_of_key_range.cuh"

namespace flashbias::testing {
namespace {

/// First keys of the tiles that a thread block walks over, as in templates/forward.cuh.
std::vector<int> tiles_of(const Block& block) {
  std::vector<int> tiles;
  int kv_start = (block.kv_end - 1) / kBlockK * kBlockK;
  if (block.kv_end > block.kv_begin)
    for (; kv_start >= block.kv_begin; kv_start -= kBlockK) tiles.push_back(kv_start);
  return tiles;
}

struct Walk {
  int wrong = 0;  ///< keys that are seen and skipped or masked, or not seen and left in
  int idle = 0;   ///< ends of the walk at a tile of which no row sees anything, though there is something to see
};

Walk walk(const Parameters& p, u32 index_in_grid) {
  Walk result;
  const Block block(p, index_in_grid);
  const auto is_seen = [&](int row, int key) {
    const int q_index = block.q_start + row;
    return p.first_key(q_index) <= key && key < p.end_key(q_index) && key < visible_keys(p, q_index);
  };
  const std::vector<int> tiles = tiles_of(block);
  std::vector<bool> has_seen;
  std::vector<std::vector<bool>> added(static_cast<std::size_t>(block.q_end - block.q_start));
  for (auto& row : added) row.resize(static_cast<std::size_t>(p.kv_length));
  for (const int kv_start : tiles) {
    bool any = false;
    for (int row = 0; row < block.q_end - block.q_start; ++row) {
      const HiddenColumns hidden(p, block, block.q_start + row, kv_start);
      for (int column = 0; column < kBlockK; ++column) {
        const int key = kv_start + column;
        const bool left_in = !block.masks(kv_start) || !hidden.contain(column);
        if (key < p.kv_length) {
          added[static_cast<std::size_t>(row)][static_cast<std::size_t>(key)] = left_in;
          any |= is_seen(row, key);
        } else {
          result.wrong += left_in ? 1 : 0;
        }
      }
    }
    has_seen.push_back(any);
  }
  for (int row = 0; row < block.q_end - block.q_start; ++row)
    for (int key = 0; key < p.kv_length; ++key) {
      result.wrong += added[static_cast<std::size_t>(row)][static_cast<std::size_t>(key)] == is_seen(row, key) ? 0 : 1;
    }
  if (std::ranges::count(has_seen, true) > 0) result.idle = (has_seen.front() ? 0 : 1) + (has_seen.back() ? 0 : 1);
  return result;
}

codegen::KeyRange range_of(const MaskCase& mask) {
  return codegen::take_off_mask(select(mask.seen, 0.0, -bias::infinity()), mask.causal).visible;
}

/// All thread blocks of two heads at several lengths and tiles.
Walk walk_everywhere(const MaskCase& mask) {
  const MaskInputs inputs;
  const reference::Inputs bound = inputs.bound();
  const codegen::KeyRange range = range_of(mask);
  Walk result;
  for (const auto& [q_length, kv_length] :
       {std::pair{1, 1}, {1, 17}, {17, 1}, {5, 5}, {16, 16}, {13, 30}, {30, 13}, {33, 33}})
    for (const std::int64_t head : {0, 1}) {
      const reference::Point at{.batch = head, .head = head, .q_length = q_length, .kv_length = kv_length};
      std::vector<Ends> ends;
      for (reference::Point query = at; query.q_index < q_length; ++query.q_index)
        ends.push_back(ends_at(range, query, bound));
      const auto of_query = [&](int q_index) { return ends.at(static_cast<std::size_t>(q_index)); };
      for (const auto& [block_q, block_k] : {std::pair{4, 4}, {8, 4}, {4, 8}, {16, 8}, {8, 16}}) {
        kBlockQ = block_q;
        kBlockK = block_k;
        const Parameters p{.heads = 1,
                           .q_tiles = (q_length + block_q - 1) / block_q,
                           .q_length = q_length,
                           .kv_length = kv_length,
                           .causal = mask.causal,
                           .first_key = [&](int q) { return static_cast<int>(of_query(q).first); },
                           .end_key = [&](int q) { return static_cast<int>(of_query(q).end); }};
        for (int block = 0; block < p.q_tiles; ++block) {
          const Walk of_block = walk(p, static_cast<u32>(block));
          result.wrong += of_block.wrong;
          result.idle += of_block.idle;
        }
      }
    }
  return result;
}

}  // namespace

TEST_CASE("thread blocks add the scores of the keys that their rows see, and walk over no tile before or behind them") {
  for (const MaskCase& mask : common_masks()) {
    CAPTURE(to_string(mask.seen));
    const Walk result = walk_everywhere(mask);
    CHECK(result.wrong == 0);
    CHECK(result.idle == 0);
  }
}

TEST_CASE("thread blocks add the scores of the keys in any range") {
  RandomCondition random(8);
  int ranges = 0;
  for (int n = 0; n < 4000; ++n) {
    const MaskCase mask{.seen = random.condition(random.below(4)), .causal = n % 2 == 0};
    if (!range_of(mask).is_bounded()) continue;
    CAPTURE(to_string(mask.seen));
    CHECK(walk_everywhere(mask).wrong == 0);
    ++ranges;
  }
  CHECK(ranges > 200);
}

}  // namespace flashbias::testing
