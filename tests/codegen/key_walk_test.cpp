#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "codegen/mask.hpp"
#include "tests/codegen/mask_cases.hpp"

// The device code itself, as it stands in templates/.
#include "device_on_host/block_of_key_range.cuh"

namespace flashbias::testing {
namespace {

/// What each query of a head sees.
std::vector<Ends> ends_of_queries(const codegen::KeyRange& range, bool causal, reference::Point at,
                                  const reference::Inputs& inputs) {
  std::vector<Ends> ends;
  // Rows beyond the last query are computed, too, and thrown away.
  for (at.q_index = 0; at.q_index < at.q_length; ++at.q_index) ends.push_back(ends_at(range, causal, at, inputs));
  return ends;
}

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

Walk walk(const Parameters& p, u32 index_in_grid, const std::vector<Ends>& seen, int kv_length) {
  Walk result;
  const Block block(p, index_in_grid);
  const std::vector<int> tiles = tiles_of(block);
  std::vector<bool> has_seen;
  std::vector<std::vector<bool>> added(static_cast<std::size_t>(block.q_end - block.q_start));
  for (auto& row : added) row.resize(static_cast<std::size_t>(kv_length));
  for (const int kv_start : tiles) {
    bool any = false;
    for (int row = 0; row < block.q_end - block.q_start; ++row) {
      const HiddenColumns hidden(p, block, block.q_start + row, kv_start);
      const Ends& ends = seen[static_cast<std::size_t>(block.q_start + row)];
      for (int column = 0; column < kBlockK; ++column) {
        const int key = kv_start + column;
        const bool left_in = !block.masks(kv_start) || !hidden.contain(column);
        if (key < kv_length) {
          added[static_cast<std::size_t>(row)][static_cast<std::size_t>(key)] = left_in;
          any |= ends.first <= key && key < ends.end;
        } else {
          result.wrong += left_in ? 1 : 0;
        }
      }
    }
    has_seen.push_back(any);
  }
  for (int row = 0; row < block.q_end - block.q_start; ++row)
    for (int key = 0; key < kv_length; ++key) {
      const Ends& ends = seen[static_cast<std::size_t>(block.q_start + row)];
      const bool is_seen = ends.first <= key && key < ends.end;
      result.wrong += added[static_cast<std::size_t>(row)][static_cast<std::size_t>(key)] == is_seen ? 0 : 1;
    }
  if (std::ranges::count(has_seen, true) > 0) result.idle = (has_seen.front() ? 0 : 1) + (has_seen.back() ? 0 : 1);
  return result;
}

}  // namespace

TEST_CASE("thread blocks add the scores of the keys that their rows see, and walk over no tile before or behind them") {
  const MaskInputs inputs;
  const reference::Inputs bound = inputs.bound();
  std::int64_t walks = 0;
  for (const auto& [condition, causal] : common_masks()) {
    const codegen::KeyRange range = codegen::take_off_mask(select(condition, 0.0, -bias::infinity()), causal).visible;
    CAPTURE(to_string(condition));
    for (const auto& [q_length, kv_length] :
         {std::pair{1, 1}, {1, 17}, {17, 1}, {5, 5}, {16, 16}, {13, 30}, {30, 13}, {33, 33}})
      for (const std::int64_t head : {0, 1}) {
        const reference::Point at{.batch = head, .head = head, .q_length = q_length, .kv_length = kv_length};
        const std::vector<Ends> seen = ends_of_queries(range, causal, at, bound);
        const auto query = [&](int q_index) { return seen[static_cast<std::size_t>(std::min(q_index, q_length - 1))]; };
        for (const auto& [block_q, block_k] : {std::pair{4, 4}, {8, 4}, {4, 8}, {16, 8}, {8, 16}}) {
          kBlockQ = block_q;
          kBlockK = block_k;
          const Parameters p{.heads = 1,
                             .q_tiles = (q_length + block_q - 1) / block_q,
                             .q_length = q_length,
                             .first_key = [&](int q) { return static_cast<int>(query(q).first); },
                             .end_key = [&](int q) { return static_cast<int>(query(q).end); }};
          for (int block = 0; block < p.q_tiles; ++block) {
            const Walk result = walk(p, static_cast<u32>(block), seen, kv_length);
            CHECK(result.wrong == 0);
            CHECK(result.idle == 0);
            ++walks;
          }
        }
      }
  }
  CHECK(walks > 3000);
}

}  // namespace flashbias::testing
