#pragma once

#include <filesystem>
#include <initializer_list>
#include <string_view>

namespace flashbias::tools {

/// Writes a file of these parts aside and renames it, so that a failure leaves what was there before. A pipe or a
/// device is written directly. Throws Error(io) that names the file and the reason.
void write_output_file(const std::filesystem::path& path, std::initializer_list<std::string_view> parts);

}  // namespace flashbias::tools
