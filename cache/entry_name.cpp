#include "cache/entry_name.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <system_error>
#include <utility>

namespace flashbias::cache {
namespace {

bool has_stage(std::string_view name, std::string_view stage) {
  return is_key(key_of(name)) && name.substr(key_of(name).size()).starts_with(stage);
}

}  // namespace

std::string unique_name(std::string_view key, std::string_view stage) {
  std::random_device random;
  return fmt::format("{}{}{:08x}{:08x}", key, stage, random(), random());
}

bool is_key(std::string_view name) {
  return name.size() == kKeyLength && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_unfinished(std::string_view name) { return has_stage(name, kUnfinished); }

bool is_dead_weight(std::string_view name) { return is_unfinished(name) || has_stage(name, kRemoved); }

bool is_leftover(std::string_view name) { return is_dead_weight(name) || has_stage(name, kSetAside); }

std::string_view key_of(std::string_view name) { return name.substr(0, kKeyLength); }

std::vector<std::string> names_in(const std::filesystem::path& directory, bool (*predicate)(std::string_view name)) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (std::string name = entry->path().filename().string(); predicate(name)) names.push_back(std::move(name));
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace flashbias::cache
