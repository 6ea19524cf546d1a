#pragma once

#include <filesystem>

#include "tools/host_tensor.hpp"

/// NumPy's .npy files, as numpy.lib.format describes them: versions 1 to 3, little endian, C order.
namespace flashbias::tools {

/// float16, float32, int32, uint8 and bool (as u8). Throws Error(io) that names the file, what is wrong and how to
/// save it instead.
[[nodiscard]] HostTensor read_npy(const std::filesystem::path& path);

/// NumPy has no bf16: such a tensor is written as float32, which holds it exactly.
void write_npy(const std::filesystem::path& path, const HostTensor& tensor);

}  // namespace flashbias::tools
