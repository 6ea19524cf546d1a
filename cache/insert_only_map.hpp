#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace flashbias::cache {

/// A hash map that is read without a lock, and without writing to memory that another thread reads: look-ups scale with
/// threads. Nothing is ever removed, and what was found stays where it is as long as the map does.
///
/// `Traits` has hash(key) and equal(stored key, key), for the stored type of key and for those that are looked up.
template <class Key, class Value, class Traits>
class InsertOnlyMap {
 public:
  InsertOnlyMap() { publish_larger_table(kFirstSlots); }

  /// The value of a key, or nullptr.
  template <class Wanted>
  [[nodiscard]] const Value* find(const Wanted& wanted) const noexcept {
    const Table& table = *table_.load(std::memory_order_acquire);
    const std::size_t hash = Traits::hash(wanted);
    for (std::size_t slot = hash;; ++slot) {
      const Node* node = table.at(slot).load(std::memory_order_acquire);
      if (node == nullptr) return nullptr;
      if (node->hash == hash && Traits::equal(node->key, wanted)) return &node->value;
    }
  }

  /// Keeps the value that is there, if one is.
  void insert(Key key, Value value) {
    const std::lock_guard lock(writing_);
    if (find(key) != nullptr) return;
    const std::size_t hash = Traits::hash(key);
    nodes_.push_back(std::make_unique<const Node>(Node{hash, std::move(key), std::move(value)}));
    if (nodes_.size() * 2 > tables_.back()->slots.size()) {
      publish_larger_table(tables_.back()->slots.size() * 2);
    } else {
      place(*tables_.back(), *nodes_.back());
    }
  }

 private:
  static constexpr std::size_t kFirstSlots = 64;

  struct Node {
    std::size_t hash;
    Key key;
    Value value;
  };
  using Slot = std::atomic<const Node*>;

  /// At most half full, so that a probe ends.
  struct Table {
    std::vector<Slot> slots;  ///< a power of two of them
    explicit Table(std::size_t size) : slots(size) {}
    [[nodiscard]] const Slot& at(std::size_t slot) const { return slots[slot & (slots.size() - 1)]; }
    [[nodiscard]] Slot& at(std::size_t slot) { return slots[slot & (slots.size() - 1)]; }
  };

  static void place(Table& table, const Node& node) {
    std::size_t slot = node.hash;
    while (table.at(slot).load(std::memory_order_relaxed) != nullptr) ++slot;
    table.at(slot).store(&node, std::memory_order_release);
  }

  /// The smaller ones stay, as somebody may be reading them.
  void publish_larger_table(std::size_t slots) {
    auto table = std::make_unique<Table>(slots);
    for (const auto& node : nodes_) place(*table, *node);
    tables_.push_back(std::move(table));
    table_.store(tables_.back().get(), std::memory_order_release);
  }

  std::atomic<const Table*> table_ = nullptr;
  std::mutex writing_;  ///< of what follows
  std::vector<std::unique_ptr<Table>> tables_;
  std::vector<std::unique_ptr<const Node>> nodes_;
};

}  // namespace flashbias::cache
