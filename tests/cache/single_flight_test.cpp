#include "cache/single_flight.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using flashbias::cache::SingleFlight;

TEST_CASE("a value is made once for all threads that ask at the same time") {
  SingleFlight<std::string, int> store;
  std::atomic<int> made = 0;
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 64; ++i) {
      threads.emplace_back([&] {
        const int value = store.get("key", [&] {
          std::this_thread::sleep_for(std::chrono::milliseconds(20));
          ++made;
          return 42;
        });
        if (value == 42) ++right;
      });
    }
  }
  CHECK(made == 1);
  CHECK(right == 64);
}

TEST_CASE("a failure reaches all who wait and is forgotten") {
  constexpr int kThreads = 16;
  SingleFlight<int, int> store;
  std::atomic<int> asking = 0;
  std::atomic<int> made = 0;
  std::atomic<int> failures = 0;
  const auto ask = [&] {
    ++asking;
    try {
      store.get(1, [&]() -> int {
        ++made;
        while (asking < kThreads) std::this_thread::yield();
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        throw std::runtime_error("no compiler");
      });
    } catch (const std::runtime_error& error) {
      if (std::string(error.what()) == "no compiler") ++failures;
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) threads.emplace_back(ask);
  }
  CHECK(failures == kThreads);
  CHECK(made < kThreads);
  CHECK(store.get(1, [] { return 7; }) == 7);
  CHECK(store.get(1, [] { return 8; }) == 7);
}

TEST_CASE("making one value does not hold up another") {
  SingleFlight<int, int> store;
  CHECK(store.get(1, [&] { return store.get(2, [] { return 20; }) + 1; }) == 21);
}
