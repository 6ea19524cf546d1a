#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace flashbias::tools {

/// A document that knows on which line each value stands, so that errors about its content can say so.
class LocatedJson {
 public:
  using Pointer = nlohmann::json::json_pointer;

  /// JSON with comments. Throws Error(parse) `FILE:LINE:COLUMN: ...` for bad syntax, and for a key that an object has
  /// twice.
  [[nodiscard]] static LocatedJson from_json(std::string_view text, std::string file);
  /// TOML, as the JSON that means the same. Throws Error(parse) `FILE:LINE:COLUMN: ...`, also for a date or time.
  [[nodiscard]] static LocatedJson from_toml(std::string_view text, std::string file);

  [[nodiscard]] const nlohmann::json& root() const noexcept { return root_; }
  /// `FILE:LINE` of a value (of its key, within an object).
  [[nodiscard]] std::string place(const Pointer& pointer) const;

 private:
  explicit LocatedJson(std::string file) : file_(std::move(file)) {}

  std::string file_;
  nlohmann::json root_;
  std::map<std::string, int> lines_;
};

}  // namespace flashbias::tools
