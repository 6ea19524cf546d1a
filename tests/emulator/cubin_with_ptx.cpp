#include "tests/emulator/cubin_with_ptx.hpp"

#include <elf.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace flashbias::emulator {
namespace {

struct Trailer {
  std::array<char, 8> magic{'P', 'T', 'X', ' ', 't', 'e', 'x', 't'};
  std::uint64_t size = 0;
};

template <typename T>
T read(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

/// Behind the last thing that the file's headers name.
std::size_t elf_size(const std::byte* image) {
  const auto header = read<Elf64_Ehdr>(image);
  std::size_t end = std::max(header.e_shoff + std::size_t{header.e_shnum} * header.e_shentsize,
                             header.e_phoff + std::size_t{header.e_phnum} * header.e_phentsize);
  for (std::size_t i = 0; i < header.e_shnum; ++i) {
    const auto section = read<Elf64_Shdr>(image + header.e_shoff + i * header.e_shentsize);
    if (section.sh_type != SHT_NOBITS) end = std::max(end, section.sh_offset + section.sh_size);
  }
  return end;
}

}  // namespace

std::vector<std::byte> attach_ptx(std::span<const std::byte> cubin, std::string_view ptx) {
  const Trailer trailer{.size = ptx.size()};
  const std::size_t end = elf_size(cubin.data());
  std::vector<std::byte> both(end + sizeof(trailer) + ptx.size());
  std::memcpy(both.data(), cubin.data(), end);
  std::memcpy(both.data() + end, &trailer, sizeof(trailer));
  std::memcpy(both.data() + end + sizeof(trailer), ptx.data(), ptx.size());
  return both;
}

std::string_view attached_ptx(const void* cubin) {
  const auto* image = static_cast<const std::byte*>(cubin);
  const std::byte* end = image + elf_size(image);
  const auto trailer = read<Trailer>(end);
  if (trailer.magic != Trailer().magic) return {};
  return {reinterpret_cast<const char*>(end + sizeof(trailer)), trailer.size};
}

}  // namespace flashbias::emulator
