#include "tools/npy.hpp"

#include <doctest/doctest.h>

#include <fstream>

#include "flashbias/error.hpp"
#include "flashbias/reference.hpp"
#include "tests/errors.hpp"
#include "tests/file_text.hpp"
#include "tests/tools/command.hpp"

using namespace flashbias;
using namespace flashbias::tools;
using flashbias::testing::scratch_path;

namespace {

HostTensor counting_tensor(DType dtype, std::vector<std::int64_t> shape) {
  HostTensor tensor(dtype, std::move(shape));
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    reference::write_element(tensor.view(), i, static_cast<double>(i));
  }
  return tensor;
}

std::string file_with(const std::string& content) {
  auto path = scratch_path("file.npy");
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

/// A version 2 file with four zero bytes of data.
std::string file_with_header(const std::string& header) {
  const std::string size{static_cast<char>(header.size() & 0xffU), static_cast<char>(header.size() >> 8U & 0xffU),
                         static_cast<char>(header.size() >> 16U), 0};
  return file_with(std::string("\x93NUMPY\x02\x00", 8) + size + header + std::string(4, '\0'));
}

std::string read_error(const std::string& path) {
  try {
    (void)read_npy(path);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::io);
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("npy: what is written is read again") {
  const auto path = scratch_path("round_trip.npy");
  for (const auto dtype : {DType::f16, DType::f32, DType::i32, DType::u8}) {
    for (const auto& shape : {std::vector<std::int64_t>{2, 3, 1, 4}, {7}, {0, 5}, {}}) {
      const auto tensor = counting_tensor(dtype, shape);
      write_npy(path, tensor);
      const auto read = read_npy(path);
      CHECK(read.dtype == dtype);
      CHECK(read.shape == shape);
      CHECK(read.data == tensor.data);
    }
  }
}

TEST_CASE("npy: bf16 is written as float32") {
  const auto path = scratch_path("bf16.npy");
  const auto tensor = counting_tensor(DType::bf16, {5});
  write_npy(path, tensor);
  const auto read = read_npy(path);
  CHECK(read.dtype == DType::f32);
  CHECK(convert(read, DType::bf16).data == tensor.data);
}

TEST_CASE("npy: the header is NumPy's, padded to 64 bytes") {
  const auto path = scratch_path("header.npy");
  write_npy(path, counting_tensor(DType::f16, {3}));
  const std::string content = testing::file_text(path);
  CHECK(content.substr(0, 10) == std::string("\x93NUMPY\x01\x00\x76\x00", 10));
  CHECK(content.find("{'descr': '<f2', 'fortran_order': False, 'shape': (3,), }") == 10);
  CHECK(content.size() == 128 + 3 * 2);
}

TEST_CASE("npy: version 2, and bool as u8") {
  const auto tensor = read_npy(file_with_header("{'descr': '|b1', 'fortran_order': False, 'shape': (2, 2), }"));
  CHECK(tensor.dtype == DType::u8);
  CHECK(tensor.shape == std::vector<std::int64_t>{2, 2});
}

TEST_CASE("npy: files that cannot be read say why and what to save instead") {
  CHECK(read_error("/nonexistent.npy") == "/nonexistent.npy: cannot be opened");
  CHECK(read_error(file_with("PK\x03\x04 an archive")).ends_with("is no .npy file"));
  CHECK(read_error(file_with(std::string("\x93NUMPY\x09\x00", 8))).ends_with("has .npy version 9; 1 to 3 are read"));
  CHECK(read_error(file_with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }"))
            .ends_with("array.astype(numpy.float32)"));
  CHECK(read_error(file_with_header("{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }"))
            .ends_with("save numpy.ascontiguousarray(array)"));
  CHECK(read_error(file_with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"))
            .ends_with("ends before the data of f32 [2]"));
  CHECK(read_error(file_with_header("{'descr': '<f4'}")).find("no readable 'fortran_order'") != std::string::npos);
}

TEST_CASE("npy: headers and shapes that are too large are refused, not allocated") {
  const auto of_shape = [](const std::string& shape) {
    return read_error(file_with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (" + shape + "), }"));
  };
  CHECK(of_shape("99999999999999999999, 2")
            .ends_with("has the shape (99999999999999999999, 2), which is larger than memory"));
  CHECK(of_shape("1000000000, 1000000000").ends_with("a tensor f32 [1000000000, 1000000000] is larger than memory"));
  CHECK(of_shape("4294967296, 4294967296").ends_with("a tensor f32 [4294967296, 4294967296] is larger than memory"));
  CHECK(of_shape("1, -1").find("no readable 'shape'") != std::string::npos);
  CHECK(of_shape("1, x").find("no readable 'shape'") != std::string::npos);
  CHECK(of_shape("1, 1, 1, 1, 1, 1, 1, 1, 1").find("dimensions; at most") != std::string::npos);

  const auto of_type = [](std::size_t length) {
    return read_error(
        file_with_header("{'descr': '" + std::string(length, 'x') + "', 'fortran_order': False, 'shape': (1,), }"));
  };
  CHECK(of_type(65'000).find("bytes; at most 4096 are read") != std::string::npos);
  CHECK(of_type(4000).find("holds numbers of type") != std::string::npos);
  // A size of 4 GiB, and no header.
  CHECK(read_error(file_with(std::string("\x93NUMPY\x02\x00\xff\xff\xff\xff", 12)))
            .find("has a header of 4294967295 bytes") != std::string::npos);
}

TEST_CASE("host tensor: more than memory is an error that names the shape") {
  CHECK(testing::message_of(ErrorCode::invalid_argument, [] {
          HostTensor(DType::f16, {99'999'999'999, 1024, 8, 8});
        }) == "a tensor f16 [99999999999, 1024, 8, 8] is larger than memory");
  CHECK(HostTensor(DType::f16, {4'294'967'296, 4'294'967'296, 0}).data.empty());
}
