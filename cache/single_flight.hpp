#pragma once

#include <exception>
#include <functional>
#include <future>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace flashbias::cache {

/// Values of this process by key, each made once. Thread-safe; a value is cheap to copy.
template <class Key, class Value, class Hash = std::hash<Key>>
class SingleFlight {
 public:
  /// The key's value, made by the first who asks while the others wait. What `make` throws reaches all of them and is
  /// not remembered: the next to ask tries again.
  template <class Make>
  Value get(const Key& key, Make&& make) {
    std::promise<Value> promise;
    const auto [pending, is_mine] = add(key, promise.get_future().share());
    if (is_mine) fulfil(key, promise, std::forward<Make>(make));
    return pending.get();
  }

 private:
  using Pending = std::shared_future<Value>;

  /// What the key now stands for, and whether that is `pending`.
  std::pair<Pending, bool> add(const Key& key, Pending pending) {
    const std::lock_guard lock(mutex_);
    const auto [position, is_new] = values_.try_emplace(key, std::move(pending));
    return {position->second, is_new};
  }

  template <class Make>
  void fulfil(const Key& key, std::promise<Value>& promise, Make&& make) {
    try {
      promise.set_value(std::forward<Make>(make)());
    } catch (...) {
      {
        const std::lock_guard lock(mutex_);
        values_.erase(key);
      }
      promise.set_exception(std::current_exception());
    }
  }

  std::mutex mutex_;
  std::unordered_map<Key, Pending, Hash> values_;
};

}  // namespace flashbias::cache
