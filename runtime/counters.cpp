#include "runtime/counters.hpp"

namespace flashbias::runtime {

void CacheCounters::count(const jit::Lookup& lookup) noexcept {
  if (lookup.origin) {
    ++by_origin_[static_cast<std::size_t>(*lookup.origin)];
  } else {
    ++failures_;
  }
  for (const auto& missed : lookup.missed) ++by_reason_[static_cast<std::size_t>(missed.miss.reason)];
  compile_ms_ += lookup.compile_ms;
}

jit::Counters CacheCounters::read() const noexcept {
  const auto origin = [this](jit::Origin which) { return by_origin_[static_cast<std::size_t>(which)].load(); };
  const auto reason = [this](cache::MissReason which) { return by_reason_[static_cast<std::size_t>(which)].load(); };
  return {.memory_hits = memory_hits_.total(),
          .pack_hits = origin(jit::Origin::pack),
          .disk_hits = origin(jit::Origin::disk),
          .compiles = origin(jit::Origin::compiled),
          .failures = failures_.load(),
          .missed_absent = reason(cache::MissReason::absent),
          .missed_version = reason(cache::MissReason::version),
          .missed_corrupt = reason(cache::MissReason::corrupt),
          .missed_unusable = reason(cache::MissReason::unusable),
          .compile_ms = compile_ms_.load()};
}

}  // namespace flashbias::runtime
