#include "tools/npy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "flashbias/error.hpp"
#include "tools/output_file.hpp"

namespace flashbias::tools {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

[[noreturn]] void reject_npy(const std::filesystem::path& path, const std::string& problem) {
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
  if (!file || !std::string_view(start.data(), start.size()).starts_with(kMagic)) reject_npy(path, "is no .npy file");
  const int version = static_cast<unsigned char>(start[6]);
  if (version < 1 || version > 3) reject_npy(path, fmt::format("has .npy version {}; 1 to 3 are read", version));
  std::array<unsigned char, 4> bytes{};
  file.read(reinterpret_cast<char*>(bytes.data()), version == 1 ? 2 : 4);
  std::size_t size = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) size |= std::size_t{bytes[i]} << (8 * i);
  return size;
}

/// A field of the header, a Python dictionary: what follows `'name':`, to the end of the header.
std::string_view header_field(std::string_view header, std::string_view name) {
  const auto key = header.find(fmt::format("'{}'", name));
  if (key == std::string_view::npos) return {};
  const auto after_blanks = [&](std::size_t from) {
    return std::min(header.find_first_not_of(" \t\n", from), header.size());
  };
  const auto colon = after_blanks(key + name.size() + 2);
  if (!header.substr(colon).starts_with(':')) return {};
  return header.substr(after_blanks(colon + 1));
}

[[noreturn]] void reject_header(std::string_view header, std::string_view name, const std::filesystem::path& path) {
  reject_npy(path, fmt::format("its header has no readable '{}': {}", name, header));
}

/// What a field of the header has between two characters.
std::string_view enclosed_field(std::string_view header, std::string_view name, char first, char last,
                                const std::filesystem::path& path) {
  const std::string_view value = header_field(header, name);
  const auto end = value.find(last, 1);
  if (!value.starts_with(first) || end == std::string_view::npos) reject_header(header, name, path);
  return value.substr(1, end - 1);
}

bool is_fortran_order(std::string_view header, const std::filesystem::path& path) {
  constexpr std::string_view kName = "fortran_order";
  const std::string_view value = header_field(header, kName);
  if (value.starts_with("True")) return true;
  if (!value.starts_with("False")) reject_header(header, kName, path);
  return false;
}

DType parse_type(std::string_view name, const std::filesystem::path& path) {
  const auto* const type = std::ranges::find(kTypes, name, &NumpyType::name);
  if (type == kTypes.end()) {
    reject_npy(path, fmt::format("holds numbers of type '{}'; save float16, float32, int32, uint8 or bool, such as "
                                 "array.astype(numpy.float32)",
                                 name));
  }
  return type->dtype;
}

std::vector<std::int64_t> parse_shape(std::string_view header, const std::filesystem::path& path) {
  constexpr std::string_view kName = "shape";
  const std::string_view text = enclosed_field(header, kName, '(', ')', path);
  std::vector<std::int64_t> shape;
  for (std::size_t i = 0; (i = text.find_first_not_of(", ", i)) != std::string_view::npos;) {
    std::int64_t size = 0;
    const auto [end, error] = std::from_chars(text.data() + i, text.data() + text.size(), size);
    if (error == std::errc::result_out_of_range)
      reject_npy(path, fmt::format("has the shape ({}), which is larger than memory", text));
    if (error != std::errc() || size < 0) reject_header(header, kName, path);
    shape.push_back(size);
    i = static_cast<std::size_t>(end - text.data());
  }
  return shape;
}

/// Zeros, or an error that names the file.
HostTensor tensor_for(DType dtype, std::vector<std::int64_t> shape, const std::filesystem::path& path) {
  try {
    return {dtype, std::move(shape)};
  } catch (const Error& error) {
    reject_npy(path, error.what());
  }
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

std::string_view contents_of(const HostTensor& tensor) {
  return {reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size()};
}

}  // namespace

HostTensor read_npy(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) reject_npy(path, "cannot be opened");
  return read_npy(file, path);
}

HostTensor read_npy(std::istream& file, const std::filesystem::path& path) {
  constexpr std::size_t kMostBytes = 4096;  // NumPy's own have 118
  const std::size_t size = read_header_size(file, path);
  if (size > kMostBytes)
    reject_npy(path, fmt::format("has a header of {} bytes; at most {} are read", size, kMostBytes));
  std::string header(size, ' ');
  file.read(header.data(), static_cast<std::streamsize>(header.size()));
  if (!file) reject_npy(path, "ends within its header");

  if (is_fortran_order(header, path)) reject_npy(path, "is in Fortran order; save numpy.ascontiguousarray(array)");
  HostTensor tensor =
      tensor_for(parse_type(enclosed_field(header, "descr", '\'', '\'', path), path), parse_shape(header, path), path);
  file.read(reinterpret_cast<char*>(tensor.data.data()), static_cast<std::streamsize>(tensor.data.size()));
  if (!file) reject_npy(path, fmt::format("ends before the data of {}", to_string(tensor)));
  return tensor;
}

void write_npy(const std::filesystem::path& path, const HostTensor& tensor) {
  if (tensor.dtype == DType::bf16) return write_npy(path, convert(tensor, DType::f32));
  write_output_file(path, {make_header(tensor), contents_of(tensor)});
}

void write_npy(std::ostream& file, const HostTensor& tensor) {
  if (tensor.dtype == DType::bf16) return write_npy(file, convert(tensor, DType::f32));
  file << make_header(tensor) << contents_of(tensor);
}

}  // namespace flashbias::tools
