#pragma once

#include <span>
#include <string>
#include <vector>

#include "runtime/environment.hpp"

/// Where the CUDA libraries that are opened at run time are looked for.
namespace flashbias::runtime {

/// One thing to try: a path, or a bare name for the loader to find.
struct Candidate {
  std::string name;
  std::string origin;  ///< why it is tried: `FLASHBIAS_NVRTC`, `the loader's path`, `CUDA_HOME`, ...
};

/// NVRTC, in the order in which it is tried:
///   1. the path in FLASHBIAS_NVRTC, and then nothing else;
///   2. the loader's own path: libnvrtc.so.13, libnvrtc.so.12, libnvrtc.so;
///   3. lib64 and lib in $CUDA_HOME, $CUDA_PATH, /usr/local/cuda;
///   4. pip's nvidia-cuda-nvrtc (nvidia/cu13/lib) and nvidia-cuda-nvrtc-cu12 (nvidia/cuda_nvrtc/lib) in the site
///      packages of $VIRTUAL_ENV, of the python3 on $PATH, of ~/.local, /usr/local and /usr.
/// Of the files of 3 and 4, only those that exist.
[[nodiscard]] std::vector<Candidate> nvrtc_candidates(const Variables& variables = environment_variable);

/// The CUDA driver: the path in FLASHBIAS_LIBCUDA and then nothing else; without it, the loader's libcuda.so.1.
[[nodiscard]] std::vector<Candidate> driver_candidates(const Variables& variables = environment_variable);

/// A candidate that did not serve, and the reason.
struct Failure {
  Candidate candidate;
  std::string reason;
};

/// For an error message, a line each: `  libnvrtc.so (the loader's path): no such file`.
[[nodiscard]] std::string to_string(std::span<const Failure> failures);

}  // namespace flashbias::runtime
