#pragma once

#include <atomic>
#include <memory>
#include <mutex>

namespace flashbias::runtime {

/// A library that all threads share: opened by the first `get` that succeeds and never closed, as other threads may be
/// using it while the process exits. Where `open` throws, so does `get`, and the next call tries again.
/// A function's static would say the same, but with GCC 12's ThreadSanitizer those who wait for a static never wake
/// when its initialiser throws.
template <class Library>
class OnceOpened {
 public:
  /// `open` returns a std::unique_ptr<const Library>.
  template <class Open>
  const Library& get(Open open) {
    if (const Library* opened = library_.load(std::memory_order_acquire); opened != nullptr) return *opened;
    const std::lock_guard lock(opening_);
    if (library_.load(std::memory_order_relaxed) == nullptr)
      library_.store(open().release(), std::memory_order_release);
    return *library_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<const Library*> library_ = nullptr;
  std::mutex opening_;
};

}  // namespace flashbias::runtime
