#include "runtime/dynamic_library.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <fmt/format.h>
#include <link.h>

#include <cstddef>
#include <string_view>
#include <utility>

#include "flashbias/error.hpp"

namespace flashbias::runtime {
namespace {

const link_map& link_map_of(void* handle) {
  link_map* map = nullptr;
  if (dlinfo(handle, RTLD_DI_LINKMAP, static_cast<void*>(&map)) != 0) throw Error(ErrorCode::io, dlerror());
  return *map;
}

std::string hex(const unsigned char* bytes, std::size_t size) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

std::size_t aligned(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

/// The build id in a segment of ELF notes, each {header, name, descriptor} padded to 4 bytes.
std::string build_id_in_notes(const unsigned char* notes, std::size_t size) {
  std::size_t offset = 0;
  while (offset + sizeof(ElfW(Nhdr)) <= size) {
    const auto& header = *reinterpret_cast<const ElfW(Nhdr)*>(notes + offset);
    const auto* name = notes + offset + sizeof(header);
    const auto* descriptor = name + aligned(header.n_namesz);
    const std::string_view owner(reinterpret_cast<const char*>(name), header.n_namesz);
    if (header.n_type == NT_GNU_BUILD_ID && owner == std::string_view("GNU\0", 4)) {
      return hex(descriptor, header.n_descsz);
    }
    offset += sizeof(header) + aligned(header.n_namesz) + aligned(header.n_descsz);
  }
  return {};
}

struct BuildIdSearch {
  ElfW(Addr) base = 0;
  std::string build_id;
};

int visit_library(dl_phdr_info* info, std::size_t /*size*/, void* data) {
  auto& search = *static_cast<BuildIdSearch*>(data);
  if (info->dlpi_addr != search.base) return 0;
  for (int i = 0; i < info->dlpi_phnum && search.build_id.empty(); ++i) {
    const auto& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    const auto address = info->dlpi_addr + segment.p_vaddr;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the loader gives addresses as numbers
    search.build_id = build_id_in_notes(reinterpret_cast<const unsigned char*>(address), segment.p_memsz);
  }
  return 1;
}

}  // namespace

DynamicLibrary::DynamicLibrary(const std::string& name) : handle_(dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) {
  if (handle_ == nullptr) throw Error(ErrorCode::io, dlerror());
}

DynamicLibrary::DynamicLibrary(DynamicLibrary&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}

DynamicLibrary& DynamicLibrary::operator=(DynamicLibrary&& other) noexcept {
  std::swap(handle_, other.handle_);
  return *this;
}

DynamicLibrary::~DynamicLibrary() {
  if (handle_ != nullptr) dlclose(handle_);
}

std::filesystem::path DynamicLibrary::path() const { return link_map_of(handle_).l_name; }

std::string DynamicLibrary::build_id() const {
  BuildIdSearch search{.base = link_map_of(handle_).l_addr, .build_id = {}};
  dl_iterate_phdr(visit_library, &search);
  return search.build_id;
}

DynamicLibrary::Symbol DynamicLibrary::symbol(const char* name) const {
  void* address = dlsym(handle_, name);
  if (address == nullptr) {
    throw Error(ErrorCode::io, fmt::format("{} has no function {}", path().string(), name));
  }
  return Symbol(address);
}

}  // namespace flashbias::runtime
