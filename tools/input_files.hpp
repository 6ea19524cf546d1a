#pragma once

#include <string>
#include <vector>

#include "tools/npz.hpp"

namespace flashbias::tools {

/// What `--input` takes, for its help.
inline constexpr const char* kInputFileType = "NAME=FILE.npy|FILE.npz";

/// The inputs of a bias by name: from each `NAME=FILE.npy` one, from `NAME=FILE.npz` the array of that name, from
/// `FILE.npz` all of its arrays. Throws Error(invalid_argument) for what is none of these, an array that is not there
/// or a name that is given twice; Error(io) for files.
[[nodiscard]] NamedTensors read_inputs(const std::vector<std::string>& assignments);

}  // namespace flashbias::tools
