#pragma once

#include <filesystem>
#include <iosfwd>

#include "tools/host_tensor.hpp"

/// NumPy's .npy files, as numpy.lib.format describes them: versions 1 to 3, little endian, C order.
namespace flashbias::tools {

/// float16, float32, int32, uint8 and bool (as u8). Throws Error(io) that names the file, what is wrong and how to
/// save it instead.
[[nodiscard]] HostTensor read_npy(const std::filesystem::path& path);
/// From a stream that errors call `path`.
[[nodiscard]] HostTensor read_npy(std::istream& file, const std::filesystem::path& path);

/// Written aside and renamed. NumPy has no bf16: such a tensor is written as float32, which holds it exactly.
void write_npy(const std::filesystem::path& path, const HostTensor& tensor);
/// To a stream, whose state tells whether it went well.
void write_npy(std::ostream& file, const HostTensor& tensor);

}  // namespace flashbias::tools
