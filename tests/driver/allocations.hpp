#pragma once

namespace flashbias::testing {

/// How often this thread has asked operator new for memory.
[[nodiscard]] long allocations() noexcept;

}  // namespace flashbias::testing
