#include "tools/input_files.hpp"

#include <fmt/format.h>

#include <iterator>
#include <string_view>
#include <utility>

#include "flashbias/error.hpp"
#include "tools/npy.hpp"

namespace flashbias::tools {
namespace {

bool is_archive(std::string_view file) { return file.ends_with(".npz"); }

[[noreturn]] void reject(const std::string& assignment, const std::string& problem) {
  throw Error(ErrorCode::invalid_argument, fmt::format("--input {}: {}", assignment, problem));
}

NamedTensors read_assignment(const std::string& assignment) {
  const auto equals = assignment.find('=');
  if (equals == std::string::npos) {
    if (is_archive(assignment)) return read_npz(assignment);
    reject(assignment, "expected NAME=FILE.npy, or FILE.npz for all of its arrays");
  }
  std::string name = assignment.substr(0, equals);
  const std::string file = assignment.substr(equals + 1);
  NamedTensors named;
  if (!is_archive(file)) {
    named.emplace(std::move(name), read_npy(file));
    return named;
  }
  NamedTensors arrays = read_npz(file);
  auto array = arrays.extract(name);
  if (!array) reject(assignment, fmt::format("{} has no array {}; it has {}", file, name, names_of(arrays)));
  named.insert(std::move(array));
  return named;
}

}  // namespace

NamedTensors read_inputs(const std::vector<std::string>& assignments) {
  NamedTensors inputs;
  for (const std::string& assignment : assignments) {
    NamedTensors named = read_assignment(assignment);
    inputs.merge(named);
    if (!named.empty()) reject(assignment, fmt::format("the input {} is given twice", named.begin()->first));
  }
  return inputs;
}

}  // namespace flashbias::tools
