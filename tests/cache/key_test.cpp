#include <doctest/doctest.h>

#include <set>

#include "flashbias/cache.hpp"

using namespace flashbias::cache;

TEST_CASE("SHA-256 is that of FIPS 180-4") {
  CHECK(sha256_hex("abc", 3) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("", 0) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("a key is a pure function of its inputs, each of which changes it") {
  const KeyInputs inputs{.source = "ab", .options = {"-a", "-b"}, .arch = "sm_90a", .compiler_version = "13.0+1"};
  CHECK(make_key(inputs) == make_key(inputs));
  CHECK(make_key(inputs).size() == 64);
  std::set<std::string> keys = {make_key(inputs)};
  KeyInputs changed = inputs;
  changed.source = "abc";
  keys.insert(make_key(changed));
  changed = inputs;
  changed.options = {"-b", "-a"};
  keys.insert(make_key(changed));
  changed = inputs;
  changed.arch = "sm_80";
  keys.insert(make_key(changed));
  changed = inputs;
  changed.compiler_version = "13.0+2";
  keys.insert(make_key(changed));
  CHECK(keys.size() == 5);
}

TEST_CASE("text that moves from one field of a key to its neighbour changes the key") {
  const auto key = [](std::string source, std::vector<std::string> options, std::string arch) {
    return make_key(
        {.source = std::move(source), .options = std::move(options), .arch = std::move(arch), .compiler_version = {}});
  };
  const std::set<std::string> keys = {key("ab", {"c"}, ""), key("a", {"bc"}, ""),     key("abc", {}, ""),
                                      key("ab", {}, "c"),   key("ab", {"c", ""}, ""), key("ab", {"", "c"}, "")};
  CHECK(keys.size() == 6);
}
