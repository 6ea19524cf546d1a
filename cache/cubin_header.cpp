#include "cache/cubin_header.hpp"

#include <elf.h>
#include <fmt/format.h>

#include <charconv>
#include <cstring>

#include "flashbias/error.hpp"

namespace flashbias::cache {
namespace {

/// NVIDIA's values of ELF fields; the kernel of Linux and LLVM name them, too.
constexpr unsigned kMachineCuda = 190;        // EM_CUDA
constexpr unsigned char kOsAbiCuda13 = 0x41;  // before CUDA 13: 0x33

/// Compute capability (90) of a cubin: bits 8 to 15 of its flags since CUDA 13, bits 0 to 7 before.
unsigned compute_capability(const Elf64_Ehdr& header) {
  const unsigned shift = header.e_ident[EI_OSABI] == kOsAbiCuda13 ? 8 : 0;
  return (header.e_flags >> shift) & 0xffU;
}

/// `sm_90a` -> 90; 0 for other text.
unsigned number_of(std::string_view arch) {
  constexpr std::string_view kPrefix = "sm_";
  unsigned number = 0;
  if (arch.starts_with(kPrefix)) std::from_chars(arch.data() + kPrefix.size(), arch.data() + arch.size(), number);
  return number;
}

}  // namespace

void check_cubin_header(std::span<const std::byte> image, std::string_view arch) {
  Elf64_Ehdr header{};
  const bool is_elf = image.size() >= sizeof(header) && std::memcmp(image.data(), ELFMAG, SELFMAG) == 0;
  if (!is_elf) throw Error(ErrorCode::cache, "the cubin is no ELF file");
  std::memcpy(&header, image.data(), sizeof(header));
  if (header.e_machine != kMachineCuda) {
    throw Error(ErrorCode::cache, fmt::format("the cubin is an ELF file for machine {}, expected {} (CUDA)",
                                              header.e_machine, kMachineCuda));
  }
  if (const unsigned found = compute_capability(header); found != number_of(arch)) {
    throw Error(ErrorCode::cache, fmt::format("the cubin is for sm_{}, expected {}", found, arch));
  }
}

}  // namespace flashbias::cache
