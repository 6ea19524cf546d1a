#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace flashbias::tools {

/// JSON that knows on which line each value stands, so that errors about its content can say so.
class LocatedJson {
 public:
  using Pointer = nlohmann::json::json_pointer;

  /// Throws Error(parse) `FILE:LINE:COLUMN: ...` for bad syntax, and for a key that an object has twice.
  LocatedJson(std::string_view text, std::string file);

  [[nodiscard]] const nlohmann::json& root() const noexcept { return root_; }
  /// `FILE:LINE` of a value (of its key, within an object).
  [[nodiscard]] std::string place(const Pointer& pointer) const;

 private:
  std::string file_;
  nlohmann::json root_;
  std::map<std::string, int> lines_;
};

}  // namespace flashbias::tools
