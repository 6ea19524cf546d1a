#include "tools/npz.hpp"

#include <fmt/format.h>
#include <zip.h>

#include <memory>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include "flashbias/error.hpp"
#include "tools/npy.hpp"

namespace flashbias::tools {
namespace {

constexpr std::string_view kExtension = ".npy";

using Archive = std::unique_ptr<zip_t, decltype(&zip_discard)>;

[[noreturn]] void reject_npz(const std::filesystem::path& path, const std::string& problem) {
  throw Error(ErrorCode::io, fmt::format("{}: {}", path.string(), problem));
}

Archive open_archive(const std::filesystem::path& path, int flags) {
  int code = 0;
  Archive archive(zip_open(path.c_str(), flags, &code), &zip_discard);
  if (archive) return archive;
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  const std::string reason = zip_error_strerror(&error);
  zip_error_fini(&error);
  reject_npz(path, fmt::format("cannot be opened as a .npz archive: {}", reason));
}

std::string read_entry(zip_t* archive, zip_uint64_t index, const std::filesystem::path& path) {
  const std::unique_ptr<zip_file_t, decltype(&zip_fclose)> file(zip_fopen_index(archive, index, 0), &zip_fclose);
  if (!file) reject_npz(path, zip_strerror(archive));
  std::string content;
  std::vector<char> piece(1 << 16);
  while (true) {
    const zip_int64_t count = zip_fread(file.get(), piece.data(), piece.size());
    if (count < 0) reject_npz(path, zip_file_strerror(file.get()));
    if (count == 0) return content;
    content.append(piece.data(), static_cast<std::size_t>(count));
  }
}

/// Adds a file whose content stays alive until the archive is closed.
void add_entry(zip_t* archive, const std::string& name, const std::string& content, const std::filesystem::path& path) {
  zip_source_t* source = zip_source_buffer(archive, content.data(), content.size(), /*freep=*/0);
  if (source == nullptr) reject_npz(path, zip_strerror(archive));
  const zip_int64_t index = zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8);
  if (index < 0) {
    zip_source_free(source);
    reject_npz(path, zip_strerror(archive));
  }
  // Like numpy.savez: uncompressed, dated at the beginning of time.
  constexpr zip_uint16_t kFirstOfJanuary1980 = 0x21;
  if (zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), ZIP_CM_STORE, 0) != 0 ||
      zip_file_set_dostime(archive, static_cast<zip_uint64_t>(index), 0, kFirstOfJanuary1980, 0) != 0) {
    reject_npz(path, zip_strerror(archive));
  }
}

}  // namespace

std::string names_of(const NamedTensors& tensors) {
  std::string names;
  for (const auto& [name, tensor] : tensors) names += (names.empty() ? "" : ", ") + name;
  return names.empty() ? "none" : names;
}

NamedTensors read_npz(const std::filesystem::path& path) {
  const Archive archive = open_archive(path, ZIP_RDONLY);
  NamedTensors tensors;
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const auto index = static_cast<zip_uint64_t>(i);
    const char* name = zip_get_name(archive.get(), index, ZIP_FL_ENC_GUESS);
    if (name == nullptr) reject_npz(path, zip_strerror(archive.get()));
    std::string array(name);
    if (!array.ends_with(kExtension)) reject_npz(path, fmt::format("holds {}, which is no .npy file", array));
    std::istringstream content(read_entry(archive.get(), index, path / array));
    HostTensor tensor = read_npy(content, path / array);
    array.resize(array.size() - kExtension.size());
    tensors.emplace(std::move(array), std::move(tensor));
  }
  return tensors;
}

void write_npz(const std::filesystem::path& path, const NamedTensors& tensors) {
  std::vector<std::string> contents;  // which libzip reads as it closes the archive
  contents.reserve(tensors.size());
  Archive archive = open_archive(path, ZIP_CREATE | ZIP_TRUNCATE);
  for (const auto& [name, tensor] : tensors) {
    std::ostringstream content;
    write_npy(content, tensor);
    contents.push_back(std::move(content).str());
    add_entry(archive.get(), name + std::string(kExtension), contents.back(), path);
  }
  if (zip_close(archive.get()) != 0)
    reject_npz(path, fmt::format("cannot be written: {}", zip_strerror(archive.get())));
  (void)archive.release();  // closed
}

}  // namespace flashbias::tools
