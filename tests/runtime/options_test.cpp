#include "runtime/options.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>

#include "runtime/byte_size.hpp"
#include "runtime/environment.hpp"
#include "tests/errors.hpp"
#include "tests/runtime/variables.hpp"

using namespace flashbias;
using runtime::options_from;
using runtime::parse_byte_size;
using testing::message_of;
using testing::says;
using testing::variables;

TEST_CASE("the cache directory follows FLASHBIAS_CACHE_DIR, XDG_CACHE_HOME, HOME") {
  std::map<std::string, std::string> values{
      {"FLASHBIAS_CACHE_DIR", "/chosen dir"}, {"XDG_CACHE_HOME", "/caches"}, {"HOME", "/home/ada"}};
  const auto directory = [&] { return options_from(variables(values)).cache_dir; };
  CHECK(directory() == "/chosen dir");
  values.erase("FLASHBIAS_CACHE_DIR");
  CHECK(directory() == "/caches/flashbias");
  values["XDG_CACHE_HOME"] = "caches";
  CHECK(directory() == "/home/ada/.cache/flashbias");
  values.erase("HOME");
  CHECK_FALSE(directory().has_value());
}

TEST_CASE("options without and with the environment's say") {
  const auto defaults = options_from(variables({}));
  CHECK(defaults.packs.empty());
  CHECK(defaults.compile == jit::Compile::when_missing);
  CHECK(defaults.cache_bytes == cache::DiskStore::kDefaultLimit);
  CHECK(defaults.log == jit::Log::warnings);
  const auto given = options_from(variables({{"FLASHBIAS_PACKS", "/a.fbpack::/b c.fbpack"},
                                             {"FLASHBIAS_COMPILE", "never"},
                                             {"FLASHBIAS_CACHE_SIZE", "512MiB"},
                                             {"FLASHBIAS_LOG", "misses"}}));
  CHECK(given.packs == std::vector<std::filesystem::path>{"/a.fbpack", "/b c.fbpack"});
  CHECK(given.compile == jit::Compile::never);
  CHECK(given.cache_bytes == 512U << 20U);
  CHECK(given.log == jit::Log::misses);
}

TEST_CASE("a value that an option cannot have is an error that names the variable and what is accepted") {
  const auto error = [](const char* name, const char* value) {
    return message_of(ErrorCode::invalid_argument, [&] { (void)options_from(variables({{name, value}})); });
  };
  CHECK(error("FLASHBIAS_COMPILE", "no") == "FLASHBIAS_COMPILE: 'no'; expected one of when_missing, never");
  CHECK(error("FLASHBIAS_LOG", "1") == "FLASHBIAS_LOG: '1'; expected one of nothing, warnings, misses, all");
  CHECK(says(error("FLASHBIAS_CACHE_SIZE", "much"), "FLASHBIAS_CACHE_SIZE: 'much' is no size: expected a number"));
}

TEST_CASE("sizes in bytes") {
  CHECK(parse_byte_size("0") == 0);
  CHECK(parse_byte_size("1536B") == 1536);
  CHECK(parse_byte_size("64KiB") == 65536);
  CHECK(parse_byte_size("2 GiB") == 2ULL << 30U);
  for (const char* text : {"", "GiB", "-1", "1.5GiB", "1 G", "99999999999TiB", "99999999999999999999"}) {
    CAPTURE(text);
    CHECK(says(message_of(ErrorCode::parse, [&] { (void)parse_byte_size(text); }), "is no size"));
  }
}

TEST_CASE("the environment is read once") {
  const auto before = runtime::environment_variable("FLASHBIAS_COMPILE");
  setenv("FLASHBIAS_COMPILE", "changed meanwhile", 1);
  CHECK(runtime::environment_variable("FLASHBIAS_COMPILE") == before);
  unsetenv("FLASHBIAS_COMPILE");
  CHECK_THROWS((void)runtime::environment_variable("FLASHBIAS_UNHEARD_OF"));
}
