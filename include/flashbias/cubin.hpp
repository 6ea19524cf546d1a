#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "flashbias/source.hpp"
#include "flashbias/types.hpp"

namespace flashbias {

/// What the assembler reports of a kernel; of a source with several, the most that one of them takes.
struct KernelResources {
  int registers = 0;            ///< a thread
  int static_shared_bytes = 0;  ///< a thread block; dynamic shared memory is in the plan
  int stack_bytes = 0;          ///< a thread
  int spill_store_bytes = 0;
  int spill_load_bytes = 0;
};

/// A compiled kernel.
struct Cubin {
  std::vector<std::byte> image;
  KernelResources resources;
  double compile_ms = 0;  ///< time in NVRTC; 0 where it came from a cache
};

/// Options handed to NVRTC for an architecture; part of the cache key.
[[nodiscard]] std::vector<std::string> compile_options(Arch arch);

/// Full version of the NVRTC that is loaded, its build included. Throws Error(compiler_missing).
[[nodiscard]] std::string compiler_version();

/// Compiles with NVRTC. Throws Error(compiler_missing), or Error(compile_failed) with options and log.
[[nodiscard]] Cubin compile(const KernelSource& source, Arch arch);

}  // namespace flashbias
