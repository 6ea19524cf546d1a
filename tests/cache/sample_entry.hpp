#pragma once

#include <elf.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "flashbias/cache.hpp"

namespace flashbias::testing {

/// What begins as a cubin for a compute capability (90) does, and goes on with a text.
inline std::vector<std::byte> sample_cubin(unsigned compute_capability, const std::string& text) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_OSABI] = 0x41;
  header.e_machine = 190;  // CUDA
  header.e_flags = compute_capability << 8U;
  std::vector<std::byte> image(sizeof(header) + text.size());
  std::memcpy(image.data(), &header, sizeof(header));
  std::memcpy(image.data() + sizeof(header), text.data(), text.size());
  return image;
}

/// Makes the manifest tell of the entry's cubin as it is.
inline void describe_cubin(cache::Entry& entry) {
  entry.manifest.cubin_sha256 = cache::sha256_hex(entry.cubin.data(), entry.cubin.size());
  entry.manifest.cubin_bytes = entry.cubin.size();
}

/// A sound entry, another for each source. The cubin is a stand-in.
inline cache::Entry sample_entry(const std::string& source) {
  cache::Entry entry;
  entry.source = source;
  entry.cubin = sample_cubin(90, "compiled from " + source);
  entry.manifest.flashbias_version = "0.1.0";
  entry.manifest.config = "direction=forward dtype=f16 bias=\"alibi()\" source=" + source;
  entry.manifest.arch = "sm_90a";
  entry.manifest.options = {"-arch=sm_90a", "--std=c++20"};
  entry.manifest.compiler_version = "13.0+65be0db3";
  entry.manifest.source_sha256 = cache::sha256_hex(source.data(), source.size());
  describe_cubin(entry);
  entry.manifest.resources = {
      .registers = 168, .static_shared_bytes = 512, .stack_bytes = 48, .spill_store_bytes = 44, .spill_load_bytes = 40};
  entry.manifest.compile_ms = 123.5;
  entry.key = cache::make_key({.source = source,
                               .options = entry.manifest.options,
                               .arch = entry.manifest.arch,
                               .compiler_version = entry.manifest.compiler_version});
  return entry;
}

inline std::string source_key_of(const cache::Entry& entry) {
  return cache::make_source_key(
      {.source = entry.source, .options = entry.manifest.options, .arch = entry.manifest.arch, .compiler_version = {}});
}

}  // namespace flashbias::testing
