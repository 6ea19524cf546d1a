#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace flashbias::tools {

/// Runs a script with arguments in the Python that FLASHBIAS_PYTHON names, and no other; without it in the first of
/// `python3` on PATH and /usr/bin/python3 that has the modules (comma-separated, as the import statement takes them).
/// Throws Error(io) that says which were tried and what to install, or with what the script wrote as it failed.
void run_python(std::string_view script, const std::string& modules, const std::vector<std::string>& arguments);

}  // namespace flashbias::tools
