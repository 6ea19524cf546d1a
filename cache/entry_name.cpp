#include "cache/entry_name.hpp"

#include <fmt/format.h>

#include <random>

namespace flashbias::cache {
namespace {

constexpr std::size_t kKeyLength = 64;

}  // namespace

std::string unique_name(std::string_view key, std::string_view stage) {
  std::random_device random;
  return fmt::format("{}{}{:08x}{:08x}", key, stage, random(), random());
}

bool is_key(std::string_view name) {
  return name.size() == kKeyLength && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_set_aside(std::string_view name) {
  return is_key(key_of(name)) && name.substr(kKeyLength).starts_with(kSetAside);
}

std::string_view key_of(std::string_view name) { return name.substr(0, kKeyLength); }

}  // namespace flashbias::cache
