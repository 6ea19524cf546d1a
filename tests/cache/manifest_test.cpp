#include <doctest/doctest.h>

#include "flashbias/cache.hpp"
#include "tests/cache/sample_entry.hpp"
#include "tests/errors.hpp"

using namespace flashbias;
using namespace flashbias::cache;
using testing::message_of;
using testing::says;

namespace {

std::string with(std::string text, const std::string& part, const std::string& replacement) {
  const auto position = text.find(part);
  REQUIRE(position != std::string::npos);
  return text.replace(position, part.size(), replacement);
}

}  // namespace

TEST_CASE("a manifest is read back as it was written") {
  const Manifest written = testing::sample_entry("source").manifest;
  const Manifest read = parse_manifest(to_json(written));
  CHECK(read.format_version == kFormatVersion);
  CHECK(read.flashbias_version == "0.1.0");
  CHECK(read.config == written.config);
  CHECK(read.arch == written.arch);
  CHECK(read.options == written.options);
  CHECK(read.compiler_version == written.compiler_version);
  CHECK(read.source_sha256 == written.source_sha256);
  CHECK(read.cubin_sha256 == written.cubin_sha256);
  CHECK(read.cubin_bytes == written.cubin_bytes);
  CHECK(read.resources.registers == 168);
  CHECK(read.resources.static_shared_bytes == 512);
  CHECK(read.resources.stack_bytes == 48);
  CHECK(read.resources.spill_store_bytes == 44);
  CHECK(read.resources.spill_load_bytes == 40);
  CHECK(read.compile_ms == 123.5);
}

TEST_CASE("a manifest that does not parse gives an error that says what is wrong") {
  const std::string good = to_json(testing::sample_entry("source").manifest);
  const auto error = [](const std::string& text) {
    return message_of(ErrorCode::cache, [&] { (void)parse_manifest(text); });
  };
  CHECK(says(error(""), "malformed"));
  CHECK(says(error(good.substr(0, good.size() / 2)), "malformed"));
  CHECK(says(error("[]"), "malformed"));
  CHECK(says(error(with(good, "\"arch\"", "\"arhc\"")), "'arch' not found"));
  CHECK(says(error(with(good, "123.5", "\"fast\"")), "type must be number"));
  CHECK(says(error(with(good, "\"registers\": 168", "\"registers\": 1e30")), "registers is 1e+30, expected a count"));
  CHECK(says(error(with(good, "\"registers\": 168", "\"registers\": 99999999999")), "expected a count"));
  CHECK(says(error(with(good, "\"format_version\": 2", "\"format_version\": 0")), "format_version 0"));
}
