#pragma once

namespace flashbias::testing {

/// Has the cache of the process, as it is configured here, count its look-ups.
void configure_counting();

/// Counted since.
[[nodiscard]] int counted_lookups();

}  // namespace flashbias::testing
