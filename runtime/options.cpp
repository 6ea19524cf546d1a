#include "runtime/options.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

#include "flashbias/error.hpp"
#include "runtime/byte_size.hpp"

namespace flashbias::runtime {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void reject_variable(const char* variable, std::string_view problem) {
  throw Error(ErrorCode::invalid_argument, fmt::format("{}: {}", variable, problem));
}

template <class Value, std::size_t count>
Value choice(const Variables& variables, const char* variable, Value fallback,
             const std::array<std::pair<std::string_view, Value>, count>& choices) {
  const auto text = variables(variable);
  if (!text) return fallback;
  std::vector<std::string_view> names;
  for (const auto& [name, value] : choices) {
    if (name == *text) return value;
    names.push_back(name);
  }
  reject_variable(variable, fmt::format("'{}'; expected one of {}", *text, fmt::join(names, ", ")));
}

/// FLASHBIAS_CACHE_DIR, else $XDG_CACHE_HOME/flashbias, else ~/.cache/flashbias.
std::optional<fs::path> cache_directory(const Variables& variables) {
  if (const auto chosen = variables("FLASHBIAS_CACHE_DIR")) return *chosen;
  // The XDG specification has relative paths ignored.
  if (const auto caches = variables("XDG_CACHE_HOME"); caches && fs::path(*caches).is_absolute()) {
    return fs::path(*caches) / "flashbias";
  }
  if (const auto home = variables("HOME")) return fs::path(*home) / ".cache" / "flashbias";
  return std::nullopt;
}

std::uintmax_t cache_bytes(const Variables& variables) {
  const auto text = variables("FLASHBIAS_CACHE_SIZE");
  if (!text) return cache::DiskStore::kDefaultLimit;
  try {
    return parse_byte_size(*text);
  } catch (const Error& error) {
    reject_variable("FLASHBIAS_CACHE_SIZE", error.what());
  }
}

std::vector<fs::path> packs(const Variables& variables) {
  std::vector<fs::path> paths;
  std::istringstream names(variables("FLASHBIAS_PACKS").value_or(""));
  for (std::string name; std::getline(names, name, ':');) {
    if (!name.empty()) paths.emplace_back(name);
  }
  return paths;
}

}  // namespace

jit::Options options_from(const Variables& variables) {
  using jit::Compile;
  using jit::Log;
  return {.packs = packs(variables),
          .compile = choice<Compile, 2>(variables, "FLASHBIAS_COMPILE", Compile::when_missing,
                                        {{{"when_missing", Compile::when_missing}, {"never", Compile::never}}}),
          .cache_dir = cache_directory(variables),
          .cache_bytes = cache_bytes(variables),
          .log = choice<Log, 4>(
              variables, "FLASHBIAS_LOG", Log::warnings,
              {{{"nothing", Log::nothing}, {"warnings", Log::warnings}, {"misses", Log::misses}, {"all", Log::all}}}),
          .on_lookup = {}};
}

}  // namespace flashbias::runtime

namespace flashbias::jit {

Options Options::from_environment() { return runtime::options_from(runtime::environment_variable); }

}  // namespace flashbias::jit
