#include "tools/flag_checks.hpp"

#include <fmt/format.h>

#include <charconv>
#include <string>
#include <system_error>

namespace flashbias::tools {

CLI::Validator whole_number(std::int64_t least, std::int64_t most) {
  const auto check = [least, most](const std::string& text) -> std::string {
    std::int64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    const bool is_octal = text.starts_with('0') && text.size() > 1;  // as CLI11 would read it
    if (error == std::errc() && rest == end && !is_octal && value >= least && value <= most) return {};
    const bool is_open = most == std::numeric_limits<std::int64_t>::max();
    return fmt::format("'{}'; expected a whole number {}", text,
                       is_open ? fmt::format("of at least {}", least) : fmt::format("from {} to {}", least, most));
  };
  return {check, ""};
}

CLI::Validator whole_int() { return whole_number(0, std::numeric_limits<int>::max()); }

CLI::Validator not_empty() {
  return {[](const std::string& text) -> std::string {
            return text.empty() ? "it is empty; leave it out or give it a value" : "";
          },
          ""};
}

}  // namespace flashbias::tools
