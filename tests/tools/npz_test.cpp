#include "tools/npz.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "flashbias/reference.hpp"
#include "tests/errors.hpp"
#include "tests/file_text.hpp"
#include "tests/tools/command.hpp"
#include "tools/input_files.hpp"
#include "tools/npy.hpp"
#include "tools/python_script.hpp"

using namespace flashbias;
using namespace flashbias::tools;
using flashbias::testing::message_of;
using flashbias::testing::says;
using flashbias::testing::scratch_path;

namespace {

HostTensor halves_tensor(DType dtype, std::vector<std::int64_t> shape) {
  HostTensor tensor(dtype, std::move(shape));
  for (std::int64_t i = 0; i < tensor.elements(); ++i)
    reference::write_element(tensor.view(), i, static_cast<double>(i) + 0.5);
  return tensor;
}

NamedTensors two_tensors() {
  return {{"first", halves_tensor(DType::f16, {2, 3})}, {"second", halves_tensor(DType::f32, {4})}};
}

}  // namespace

TEST_CASE("npz: what is written is read again, and the same arrays give the same bytes") {
  const auto path = scratch_path("two.npz");
  write_npz(path, two_tensors());
  const NamedTensors read = read_npz(path);
  REQUIRE(read.size() == 2);
  for (const auto& [name, tensor] : two_tensors()) {
    CHECK(read.at(name).dtype == tensor.dtype);
    CHECK(read.at(name).shape == tensor.shape);
    CHECK(read.at(name).data == tensor.data);
  }
  const std::string bytes = testing::file_text(path);
  write_npz(path, two_tensors());
  CHECK(testing::file_text(path) == bytes);
}

TEST_CASE("npz: numpy reads it, and is read") {
  const auto path = scratch_path("numpy.npz");
  const auto compressed = scratch_path("compressed.npz");
  write_npz(path, two_tensors());
  try {
    run_python(R"(
import sys, numpy
arrays = numpy.load(sys.argv[1])
assert sorted(arrays) == ["first", "second"]
assert arrays["first"].dtype == numpy.float16 and arrays["first"].tolist() == [[0.5, 1.5, 2.5], [3.5, 4.5, 5.5]]
assert arrays["second"].dtype == numpy.float32 and arrays["second"].tolist() == [0.5, 1.5, 2.5, 3.5]
numpy.savez_compressed(sys.argv[2], own=numpy.arange(1000, dtype=numpy.int32)))",
               "numpy", {path, compressed});
  } catch (const Error& error) {
    if (!std::string_view(error.what()).starts_with("no Python with numpy")) throw;
    MESSAGE("left out: ", error.what());
    return;
  }
  const NamedTensors read = read_npz(compressed);
  CHECK(read.at("own").shape == std::vector<std::int64_t>{1000});
  CHECK(reference::read_element(read.at("own").view(), 999) == 999);
}

TEST_CASE("npz: files that cannot be read or written are named, and leave nothing behind") {
  const auto failure = [](const std::string& path) { return message_of(ErrorCode::io, [&] { (void)read_npz(path); }); };
  CHECK(says(failure("/nonexistent.npz"), "/nonexistent.npz: cannot be opened as a .npz archive: No such file"));
  const auto text = scratch_path("text.npz");
  std::ofstream(text) << "no archive";
  CHECK(says(failure(text), "Not a zip archive"));

  const auto truncated = scratch_path("truncated.npz");
  write_npz(truncated, two_tensors());
  std::filesystem::resize_file(truncated, std::filesystem::file_size(truncated) - 30);
  CHECK(says(failure(truncated), "cannot be opened as a .npz archive"));

  CHECK(says(message_of(ErrorCode::io, [] { write_npz("/nonexistent/x.npz", two_tensors()); }), "/nonexistent/x.npz"));
  CHECK_FALSE(std::filesystem::exists("/nonexistent/x.npz"));
}

TEST_CASE("inputs come from arrays, from one of an archive, or from all of it") {
  const auto archive = scratch_path("inputs.npz");
  const auto array = scratch_path("input.npy");
  write_npz(archive, two_tensors());
  write_npy(array, halves_tensor(DType::f32, {1}));
  CHECK(names_of(read_inputs({archive})) == "first, second");
  CHECK(names_of(read_inputs({"x=" + array, "second=" + archive})) == "second, x");
  CHECK(names_of(read_inputs({})) == "none");

  const auto refused = [](const std::vector<std::string>& assignments) {
    return message_of(ErrorCode::invalid_argument, [&] { (void)read_inputs(assignments); });
  };
  CHECK(says(refused({array}), "expected NAME=FILE.npy, or FILE.npz for all of its arrays"));
  CHECK(says(refused({"third=" + archive}), "has no array third; it has first, second"));
  CHECK(says(refused({archive, "first=" + array}), "the input first is given twice"));
}
