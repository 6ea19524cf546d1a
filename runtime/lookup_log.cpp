#include "runtime/lookup_log.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <mutex>
#include <string>
#include <utility>

namespace flashbias::runtime {
namespace {

/// `absent in /cache, version in kernels.fbpack: it was compiled by NVRTC 12.8`.
std::string describe_misses(const jit::Lookup& lookup) {
  std::string text;
  for (const auto& [place, miss] : lookup.missed) {
    text += fmt::format("{}{} in {}{}{}", text.empty() ? "" : ", ", to_string(miss.reason), place.string(),
                        miss.detail.empty() ? "" : ": ", miss.detail);
  }
  return text.empty() ? "searched nowhere" : text;
}

/// A line to standard error. Where it cannot be written it is lost: a kernel is worth more than a word about it.
template <class... Values>
void tell(fmt::format_string<Values...> format, Values&&... values) {
  const std::string line = "flashbias: " + fmt::format(format, std::forward<Values>(values)...) + "\n";
  (void)std::fputs(line.c_str(), stderr);
}

/// But for the cache directory that cannot be used, of which there is one warning a process.
void warn_of_bad_places(const jit::Lookup& lookup, const std::string& cache_problem) {
  for (const auto& [place, miss] : lookup.missed) {
    if (miss.reason == cache::MissReason::corrupt) {
      tell("warning: a kernel in {} is bad ({}): {}", place.string(), miss.detail, lookup.config);
    } else if (miss.reason == cache::MissReason::unusable && miss.detail != cache_problem) {
      tell("warning: {} cannot be used: {}", place.string(), miss.detail);
    }
  }
}

void warn_once_of_cache(const std::string& cache_problem) {
  static std::once_flag warned;
  std::call_once(warned, [&] {
    tell("warning: kernels are compiled anew in every process, as the cache is unusable: {}", cache_problem);
  });
}

}  // namespace

void log_lookup(jit::Log level, const jit::Lookup& lookup, const std::string& cache_problem) {
  if (level >= jit::Log::warnings) {
    warn_of_bad_places(lookup, cache_problem);
    if (!cache_problem.empty()) warn_once_of_cache(cache_problem);
  }
  const bool was_missed = !lookup.origin || *lookup.origin == jit::Origin::compiled;
  if (level >= (was_missed ? jit::Log::misses : jit::Log::all)) tell("{}", to_string(lookup));
}

}  // namespace flashbias::runtime

namespace flashbias::jit {

std::string_view to_string(Origin origin) noexcept {
  switch (origin) {
    case Origin::memory:
      return "memory";
    case Origin::pack:
      return "pack";
    case Origin::disk:
      return "disk";
    case Origin::compiled:
      return "compiled";
  }
  return "unknown";
}

std::string to_string(const Lookup& lookup) {
  if (!lookup.origin) {
    return fmt::format("no kernel ({}): {}: {}", runtime::describe_misses(lookup), lookup.config, lookup.error);
  }
  if (*lookup.origin == Origin::compiled) {
    return fmt::format("compiled in {:.0f} ms ({}): {}", lookup.compile_ms, runtime::describe_misses(lookup),
                       lookup.config);
  }
  return fmt::format("found in {} {} in {:.2f} ms: {}", to_string(*lookup.origin), lookup.found_in.string(),
                     lookup.total_ms, lookup.config);
}

}  // namespace flashbias::jit
