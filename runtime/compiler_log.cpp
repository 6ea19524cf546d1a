#include "runtime/compiler_log.hpp"

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
  const auto start = log.find("Compiling entry function");
  if (start == std::string_view::npos) return {};
  log.remove_prefix(start);
  return {.registers = number_before(log, " registers"),
          .static_shared_bytes = number_before(log, " bytes smem"),
          .stack_bytes = number_before(log, " bytes stack frame"),
          .spill_store_bytes = number_before(log, " bytes spill stores"),
          .spill_load_bytes = number_before(log, " bytes spill loads")};
}

}  // namespace flashbias::runtime
