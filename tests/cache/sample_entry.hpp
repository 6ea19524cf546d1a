#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "flashbias/cache.hpp"

namespace flashbias::testing {

/// A sound entry, another for each source. The cubin is a stand-in that begins as ELF files do.
inline cache::Entry sample_entry(const std::string& source) {
  cache::Entry entry;
  entry.source = source;
  const std::string image = "\177ELF, compiled from " + source;
  const auto* bytes = reinterpret_cast<const std::byte*>(image.data());
  entry.cubin.assign(bytes, bytes + image.size());
  entry.manifest.config = "direction=forward dtype=f16 bias=\"alibi()\"";
  entry.manifest.arch = "sm_90a";
  entry.manifest.options = {"-arch=sm_90a", "--std=c++20"};
  entry.manifest.compiler_version = "13.0+65be0db3";
  entry.manifest.source_sha256 = cache::sha256_hex(source.data(), source.size());
  entry.manifest.cubin_sha256 = cache::sha256_hex(image.data(), image.size());
  entry.manifest.cubin_bytes = image.size();
  entry.manifest.resources = {
      .registers = 168, .static_shared_bytes = 512, .stack_bytes = 48, .spill_store_bytes = 44, .spill_load_bytes = 40};
  entry.manifest.compile_ms = 123.5;
  entry.key = cache::make_key({.source = source,
                               .options = entry.manifest.options,
                               .arch = entry.manifest.arch,
                               .compiler_version = entry.manifest.compiler_version});
  return entry;
}

}  // namespace flashbias::testing
