#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "flashbias/cache.hpp"
#include "flashbias/error.hpp"
#include "tools/manifest.hpp"

// Any bytes, read as a manifest: that of an entry of the cache, and that of `flashbias precompile` in JSON and in TOML.
// They give a value or a flashbias::Error. What was read of an entry is written and read back the same.
namespace {

using namespace flashbias;

void read_entry_manifest(const std::string& text) {
  cache::Manifest manifest;
  try {
    manifest = cache::parse_manifest(text);
  } catch (const Error&) {
    return;
  }
  const std::string written = to_json(manifest);
  if (to_json(cache::parse_manifest(written)) == written) return;
  std::fprintf(stderr, "a manifest changes when it is written and read again\n");
  std::abort();
}

void read_deployment_manifest(const std::string& text, const char* file) {
  try {
    (void)tools::parse_manifest(text, file);
  } catch (const Error&) {
    return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  read_entry_manifest(text);
  read_deployment_manifest(text, "m.json");
  read_deployment_manifest(text, "m.toml");
  return 0;
}
