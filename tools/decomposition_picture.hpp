#pragma once

#include <filesystem>
#include <string>

#include "flashbias/decompose.hpp"

namespace flashbias::tools {

/// Throws Error(invalid_argument) unless the file's name ends in .png or .svg.
void require_picture_name(const std::filesystem::path& picture);

/// Draws the spectra of all heads and, of the head that is approximated worst, the bias, the approximation and their
/// difference. `title` says what the bias is. Throws Error(io) where there is no matplotlib, saying what to install, or
/// the file cannot be written.
void draw_decomposition(const BiasMatrices& bias, const Decomposition& decomposition, const std::string& title,
                        const std::filesystem::path& picture);

}  // namespace flashbias::tools
