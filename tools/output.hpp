#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

/// What the verbs print.
namespace flashbias::tools {

/// Columns as wide as their widest cell; numbers to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// What is no UTF-8, as a path may be, is shown as U+FFFD.
void print_json(const nlohmann::ordered_json& json);

/// `1 kernel`, `2 kernels`.
[[nodiscard]] std::string count_text(std::size_t count, std::string_view what);
/// `48.0 KiB`.
[[nodiscard]] std::string bytes_text(std::int64_t bytes);
/// `12 s`, `3 h`, `5 days` since a file's time.
[[nodiscard]] std::string age_text(std::filesystem::file_time_type time);
/// The first digits of a key, enough to tell entries apart.
[[nodiscard]] std::string short_key(const std::string& key);

}  // namespace flashbias::tools
