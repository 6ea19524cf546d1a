#include "runtime/compiler_log.hpp"

#include <algorithm>
#include <charconv>

namespace flashbias::runtime {
namespace {

/// The number that stands before the first occurrence of a phrase, 0 where there is none.
int number_before(std::string_view text, std::string_view phrase) {
  const auto end = text.find(phrase);
  if (end == std::string_view::npos) return 0;
  text = text.substr(0, end);
  const auto before_digits = text.find_last_not_of("0123456789");
  int number = 0;
  std::from_chars(text.data() + before_digits + 1, text.data() + text.size(), number);
  return number;
}

}  // namespace

KernelResources parse_resources(std::string_view log) {
  constexpr std::string_view kEntry = "Compiling entry function";
  KernelResources most;
  for (auto start = log.find(kEntry); start != std::string_view::npos;) {
    const auto next = log.find(kEntry, start + kEntry.size());
    const std::string_view entry = log.substr(start, next - start);
    const auto raise = [&](int& number, std::string_view phrase) {
      number = std::max(number, number_before(entry, phrase));
    };
    raise(most.registers, " registers");
    raise(most.static_shared_bytes, " bytes smem");
    raise(most.stack_bytes, " bytes stack frame");
    raise(most.spill_store_bytes, " bytes spill stores");
    raise(most.spill_load_bytes, " bytes spill loads");
    start = next;
  }
  return most;
}

}  // namespace flashbias::runtime
