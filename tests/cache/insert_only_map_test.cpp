#include "cache/insert_only_map.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using flashbias::cache::InsertOnlyMap;

namespace {

/// Looked up by a view. Hashes collide by the dozen.
struct TextTraits {
  static std::size_t hash(std::string_view text) { return std::hash<std::string_view>{}(text) % 50; }
  static bool equal(std::string_view a, std::string_view b) { return a == b; }
};
using Map = InsertOnlyMap<std::string, int, TextTraits>;

}  // namespace

TEST_CASE("what was inserted is found, at one place, while the map grows") {
  Map map;
  CHECK(map.find(std::string_view("0")) == nullptr);
  map.insert("0", 0);
  const int* first = map.find(std::string_view("0"));
  REQUIRE(first != nullptr);
  for (int i = 1; i < 1000; ++i) map.insert(std::to_string(i), i);
  for (int i = 0; i < 1000; ++i) {
    const int* found = map.find(std::string_view(std::to_string(i)));
    REQUIRE(found != nullptr);
    CHECK(*found == i);
  }
  CHECK(map.find(std::string_view("0")) == first);
  CHECK(map.find(std::string_view("1000")) == nullptr);
}

TEST_CASE("the first value of a key stays") {
  Map map;
  map.insert("key", 1);
  map.insert("key", 2);
  CHECK(*map.find(std::string_view("key")) == 1);
}

TEST_CASE("threads that look up while others insert see a key's value or nothing") {
  constexpr int kKeys = 2000;
  Map map;
  std::atomic<int> wrong = 0;
  std::atomic<bool> done = false;
  std::vector<std::jthread> readers;
  for (int reader = 0; reader < 4; ++reader) {
    readers.emplace_back([&] {
      while (!done) {
        for (int i = 0; i < kKeys; i += 7) {
          const int* found = map.find(std::string_view(std::to_string(i)));
          if (found != nullptr && *found != i) ++wrong;
        }
      }
    });
  }
  {
    std::vector<std::jthread> writers;
    for (int writer = 0; writer < 2; ++writer) {
      writers.emplace_back([&] {
        for (int i = 0; i < kKeys; ++i) map.insert(std::to_string(i), i);
      });
    }
  }
  done = true;
  readers.clear();
  CHECK(wrong == 0);
  for (int i = 0; i < kKeys; ++i) REQUIRE(map.find(std::string_view(std::to_string(i))) != nullptr);
}
