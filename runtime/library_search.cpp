#include "runtime/library_search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>

namespace flashbias::runtime {
namespace {

namespace fs = std::filesystem;

constexpr std::array kNvrtcNames = {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"};

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

/// Adds the first NVRTC of a directory: the others there are older or links to it.
void add_nvrtc_in(const fs::path& directory, const std::string& origin, std::vector<Candidate>& candidates) {
  for (const char* name : kNvrtcNames) {
    const fs::path path = directory / name;
    if (!is_there(path)) continue;
    candidates.push_back({path.string(), origin});
    return;
  }
}

void add_toolkit(const fs::path& root, const std::string& origin, std::vector<Candidate>& candidates) {
  add_nvrtc_in(root / "lib64", origin, candidates);
  add_nvrtc_in(root / "lib", origin, candidates);
}

void add_packages(const fs::path& packages, const std::string& origin, std::vector<Candidate>& candidates) {
  add_nvrtc_in(packages / "nvidia/cu13/lib", origin, candidates);
  add_nvrtc_in(packages / "nvidia/cuda_nvrtc/lib", origin, candidates);
}

/// Looks into `prefix/lib/python3*/{site,dist}-packages`, the newest Python first.
void add_python(const fs::path& prefix, const std::string& origin, std::vector<Candidate>& candidates) {
  std::vector<std::string> pythons;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(prefix / "lib", error)) {
    if (std::string name = entry.path().filename().string(); name.starts_with("python3")) pythons.push_back(name);
  }
  // By length first: python3.11 is newer than python3.9.
  std::sort(pythons.begin(), pythons.end(), [](const std::string& a, const std::string& b) {
    return std::pair(a.size(), std::string_view(a)) > std::pair(b.size(), std::string_view(b));
  });
  for (const auto& python : pythons) {
    add_packages(prefix / "lib" / python / "site-packages", origin, candidates);
    add_packages(prefix / "lib" / python / "dist-packages", origin, candidates);
  }
}

/// Of the first python3 on the search path: as it is named there (a virtual environment), and where its links lead.
void add_python_on_path(const std::string& search_path, std::vector<Candidate>& candidates) {
  std::istringstream directories(search_path);
  for (std::string directory; std::getline(directories, directory, ':');) {
    const fs::path python = fs::path(directory) / "python3";
    if (!is_there(python)) continue;
    std::error_code error;
    add_python(fs::path(directory).parent_path(), "pip, python3 on PATH", candidates);
    add_python(fs::canonical(python, error).parent_path().parent_path(), "pip, python3 on PATH", candidates);
    return;
  }
}

void remove_repeated(std::vector<Candidate>& candidates) {
  std::set<std::string> seen;
  std::erase_if(candidates, [&](const Candidate& candidate) { return !seen.insert(candidate.name).second; });
}

}  // namespace

std::vector<Candidate> nvrtc_candidates(const Variables& variables) {
  if (const auto path = variables("FLASHBIAS_NVRTC")) return {{*path, "FLASHBIAS_NVRTC"}};
  std::vector<Candidate> candidates;
  for (const char* name : kNvrtcNames) candidates.push_back({name, "the loader's path"});
  for (const char* variable : {"CUDA_HOME", "CUDA_PATH"}) {
    if (const auto root = variables(variable)) add_toolkit(*root, variable, candidates);
  }
  add_toolkit("/usr/local/cuda", "the usual place", candidates);
  if (const auto environment = variables("VIRTUAL_ENV")) add_python(*environment, "pip, VIRTUAL_ENV", candidates);
  if (const auto search_path = variables("PATH")) add_python_on_path(*search_path, candidates);
  if (const auto home = variables("HOME")) add_python(fs::path(*home) / ".local", "pip, the user's", candidates);
  for (const char* prefix : {"/usr/local", "/usr"}) add_python(prefix, "pip, the system's", candidates);
  remove_repeated(candidates);
  return candidates;
}

std::vector<Candidate> driver_candidates(const Variables& variables) {
  if (const auto path = variables("FLASHBIAS_LIBCUDA")) return {{*path, "FLASHBIAS_LIBCUDA"}};
  return {{"libcuda.so.1", "the loader's path"}};
}

std::string to_string(std::span<const Failure> failures) {
  std::string text;
  for (const auto& [candidate, reason] : failures) {
    text += fmt::format("  {} ({}): {}\n", candidate.name, candidate.origin, reason);
  }
  return text;
}

}  // namespace flashbias::runtime
