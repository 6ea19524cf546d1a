#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "tools/host_tensor.hpp"

/// NumPy's .npz files: zip archives of one .npy file an array, as numpy.savez writes and numpy.load reads them.
namespace flashbias::tools {

using NamedTensors = std::map<std::string, HostTensor, std::less<>>;

/// `a, b`, or `none`.
[[nodiscard]] std::string names_of(const NamedTensors& tensors);

/// Throws Error(io) that names the file, the array and what is wrong.
[[nodiscard]] NamedTensors read_npz(const std::filesystem::path& path);

/// Written aside and renamed; the same arrays give the same bytes. NumPy has no bf16: see write_npy.
void write_npz(const std::filesystem::path& path, const NamedTensors& tensors);

}  // namespace flashbias::tools
