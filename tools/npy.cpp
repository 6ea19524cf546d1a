#include "tools/npy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <optional>
#include <regex>
#include <string>

#include "flashbias/error.hpp"

namespace flashbias::tools {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

[[noreturn]] void reject(const std::filesystem::path& path, const std::string& problem) {
  throw Error(ErrorCode::io, fmt::format("{}: {}", path.string(), problem));
}

struct NumpyType {
  std::string_view name;
  DType dtype;
};
constexpr std::array kTypes = {NumpyType{"<f2", DType::f16}, NumpyType{"<f4", DType::f32}, NumpyType{"<i4", DType::i32},
                               NumpyType{"|u1", DType::u8}, NumpyType{"|b1", DType::u8}};

/// The length of the header, which version 1 stores in two bytes and later versions in four.
std::size_t read_header_size(std::istream& file, const std::filesystem::path& path) {
  std::array<char, 8> start{};
  file.read(start.data(), start.size());
  if (!file || !std::string_view(start.data(), start.size()).starts_with(kMagic)) reject(path, "is no .npy file");
  const int version = static_cast<unsigned char>(start[6]);
  if (version < 1 || version > 3) reject(path, fmt::format("has .npy version {}; 1 to 3 are read", version));
  std::array<unsigned char, 4> bytes{};
  file.read(reinterpret_cast<char*>(bytes.data()), version == 1 ? 2 : 4);
  std::size_t size = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) size |= std::size_t{bytes[i]} << (8 * i);
  return size;
}

/// A field of the header, a Python dictionary: the part of it that the pattern captures.
std::string header_field(const std::string& header, const std::string& name, const std::string& pattern,
                         const std::filesystem::path& path) {
  std::smatch match;
  if (!std::regex_search(header, match, std::regex("'" + name + "'\\s*:\\s*" + pattern))) {
    reject(path, fmt::format("its header has no readable '{}': {}", name, header));
  }
  return match[1];
}

DType parse_type(const std::string& name, const std::filesystem::path& path) {
  const auto* const type = std::ranges::find(kTypes, name, &NumpyType::name);
  if (type == kTypes.end()) {
    reject(path, fmt::format("holds numbers of type '{}'; save float16, float32, int32, uint8 or bool, such as "
                             "array.astype(numpy.float32)",
                             name));
  }
  return type->dtype;
}

std::vector<std::int64_t> parse_shape(const std::string& text) {
  static const std::regex number("[0-9]+");
  std::vector<std::int64_t> shape;
  for (std::sregex_iterator match(text.begin(), text.end(), number); match != std::sregex_iterator(); ++match) {
    shape.push_back(std::stoll(match->str()));
  }
  return shape;
}

/// The magic, the version and a header padded so that the data begin at a multiple of 64 bytes.
std::string make_header(const HostTensor& tensor) {
  constexpr std::size_t kAlignment = 64;
  constexpr std::size_t kPrefix = 10;
  const auto* const type = std::ranges::find(kTypes, tensor.dtype, &NumpyType::dtype);
  const char* only = tensor.shape.size() == 1 ? "," : "";
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", type->name,
                                   fmt::join(tensor.shape, ", "), only);
  header.append(kAlignment - (kPrefix + header.size() + 1) % kAlignment, ' ');
  header += '\n';
  const std::array<char, 4> version_and_size{1, 0, static_cast<char>(header.size() & 0xffU),
                                             static_cast<char>(header.size() >> 8U)};
  return std::string(kMagic) + std::string(version_and_size.data(), version_and_size.size()) + header;
}

}  // namespace

HostTensor read_npy(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) reject(path, "cannot be opened");
  return read_npy(file, path);
}

HostTensor read_npy(std::istream& file, const std::filesystem::path& path) {
  std::string header(read_header_size(file, path), ' ');
  file.read(header.data(), static_cast<std::streamsize>(header.size()));
  if (!file) reject(path, "ends within its header");

  if (header_field(header, "fortran_order", "(True|False)", path) == "True") {
    reject(path, "is in Fortran order; save numpy.ascontiguousarray(array)");
  }
  HostTensor tensor(parse_type(header_field(header, "descr", "'([^']*)'", path), path),
                    parse_shape(header_field(header, "shape", "\\(([0-9, ]*)\\)", path)));
  file.read(reinterpret_cast<char*>(tensor.data.data()), static_cast<std::streamsize>(tensor.data.size()));
  if (!file) reject(path, fmt::format("ends before the data of {}", to_string(tensor)));
  return tensor;
}

void write_npy(const std::filesystem::path& path, const HostTensor& tensor) {
  std::ofstream file(path, std::ios::binary);
  write_npy(file, tensor);
  file.close();
  if (!file) reject(path, "cannot be written; check the directory and its permissions");
}

void write_npy(std::ostream& file, const HostTensor& tensor) {
  if (tensor.dtype == DType::bf16) return write_npy(file, convert(tensor, DType::f32));
  file << make_header(tensor);
  file.write(reinterpret_cast<const char*>(tensor.data.data()), static_cast<std::streamsize>(tensor.data.size()));
}

}  // namespace flashbias::tools
