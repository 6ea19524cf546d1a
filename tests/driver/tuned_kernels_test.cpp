#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "flashbias/jit.hpp"
#include "flashbias/tuning.hpp"
#include "tests/driver/fake_driver.hpp"
#include "tests/file_text.hpp"
#include "tests/temporary_directory.hpp"

using namespace flashbias;
using namespace flashbias::testing;
namespace fs = std::filesystem;

namespace {

AttentionConfig of_head_dim(int head_dim) { return {.head_dim = head_dim, .bias = bias::alibi(), .arch = Arch{80}}; }

constexpr TileShape kTile{.block_q = 64, .block_k = 32, .warps = 4, .blocks_per_multiprocessor = 2};

/// The one winner that is kept in a cache directory.
fs::path file_in(const fs::path& cache) { return fs::directory_iterator(cache / "tuned")->path(); }

struct Blocks {
  int q = 0;
  int k = 0;
  friend bool operator==(const Blocks&, const Blocks&) = default;
};

Blocks blocks_of(const KernelPlan& plan) { return {plan.tile.block_q, plan.tile.block_k}; }

/// Of the config with today's planner.
Blocks own_tile(const AttentionConfig& config) { return blocks_of(plan(config)); }

Blocks tile_with(const AttentionConfig& config, jit::Options options) {
  const CurrentDevice device(kAmpere);
  return blocks_of(jit::KernelCache(std::move(options)).get(config).plan());
}

}  // namespace

TEST_CASE("what tuning found is kept for its config, and recalled for no other") {
  const TemporaryDirectory home;
  const fs::path cache = home.path() / "cache";
  const AttentionConfig config = of_head_dim(64);
  CHECK_FALSE(tuning::recall(config, cache).has_value());
  tuning::remember(config, {.lowering = Lowering::registers, .milliseconds = 2, .shape = "large"}, cache);
  tuning::remember(config, {.tile = kTile, .milliseconds = 1.5, .shape = "B=1", .device = "sm_80"}, cache);
  const auto winner = tuning::recall(config, cache);
  REQUIRE(winner.has_value());
  CHECK_FALSE(winner->lowering.has_value());
  CHECK(winner->tile == kTile);
  CHECK(winner->milliseconds == 1.5);
  CHECK(winner->shape == "B=1");
  CHECK(winner->device == "sm_80");
  CHECK(tuning::with_winner(config, cache).tile == kTile);

  AttentionConfig forced = config;
  forced.lowering = Lowering::registers;
  CHECK(tuning::with_winner(forced, cache) == forced);
  const AttentionConfig other = of_head_dim(32);
  CHECK_FALSE(tuning::recall(other, cache).has_value());
  CHECK(tuning::with_winner(other, cache) == other);
}

TEST_CASE("a file of tuning that is damaged, or of another config, counts for nothing") {
  const TemporaryDirectory home;
  const AttentionConfig config = of_head_dim(64);
  const fs::path cache = home.path() / "cache";
  tuning::remember(config, {.tile = kTile}, cache);
  const fs::path file = file_in(cache);
  const std::string good = file_text(file);
  std::string damaged;
  SUBCASE("empty") {}
  SUBCASE("cut off") { damaged = good.substr(0, good.size() / 2); }
  SUBCASE("without what it found") { damaged = "{}"; }
  SUBCASE("a tile that is none") {
    damaged = good;
    damaged.replace(good.find("64x32"), 5, "63x32");
  }
  SUBCASE("of another config") {
    const fs::path others = home.path() / "others";
    tuning::remember(of_head_dim(32), {.tile = kTile}, others);
    damaged = file_text(file_in(others));
  }
  std::ofstream(file) << damaged;
  CHECK_FALSE(tuning::recall(config, cache).has_value());
  CHECK(tuning::with_winner(config, cache) == config);
}

TEST_CASE("a kernel is made as tuning found, but where that is off, only packs serve, or the planner refuses it") {
  const TemporaryDirectory home;
  const fs::path cache = home.path() / "cache";
  SUBCASE("a tile that fits") {
    const AttentionConfig config = of_head_dim(64);
    tuning::remember(config, {.tile = kTile}, cache);
    const Blocks tuned{kTile.block_q, kTile.block_k};
    REQUIRE(own_tile(config) != tuned);
    CHECK(tile_with(config, {.cache_dir = cache}) == tuned);
    CHECK(tile_with(config, {.cache_dir = cache, .tuned = false}) == own_tile(config));
    CHECK(tile_with(config, {.compile = jit::Compile::never, .cache_dir = cache}) == own_tile(config));
  }
  SUBCASE("a tile that needs more shared memory than there is") {
    const AttentionConfig config = of_head_dim(256);
    tuning::remember(
        config, {.tile = TileShape{.block_q = 128, .block_k = 128, .warps = 4, .blocks_per_multiprocessor = 2}}, cache);
    REQUIRE(tuning::recall(config, cache).has_value());
    CHECK(tile_with(config, {.cache_dir = cache}) == own_tile(config));
  }
  SUBCASE("a lowering that no term can take") {
    const AttentionConfig config = of_head_dim(64);
    tuning::remember(config, {.lowering = Lowering::dense}, cache);
    REQUIRE(tuning::recall(config, cache).has_value());
    CHECK(tile_with(config, {.cache_dir = cache}) == own_tile(config));
  }
}
