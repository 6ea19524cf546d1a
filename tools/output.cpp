#include "tools/output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

namespace flashbias::tools {
namespace {

bool is_number(const std::string& cell) {
  return !cell.empty() && cell.find_first_not_of("0123456789.,") == std::string::npos;
}

}  // namespace

std::string Table::text() const {
  std::vector<std::size_t> widths(rows_.front().size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths.at(i) = std::max(widths[i], row[i].size());
  }
  std::vector<bool> numeric(widths.size(), rows_.size() > 1);
  for (auto row = rows_.begin() + 1; row != rows_.end(); ++row) {
    for (std::size_t i = 0; i < row->size(); ++i) numeric[i] = numeric[i] && is_number((*row)[i]);
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += fmt::format(fmt::runtime(numeric[i] ? "{:>{}}  " : "{:<{}}  "), row[i], widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

void print_json(const nlohmann::ordered_json& json) {
  constexpr int kIndent = 2;
  fmt::print("{}\n", json.dump(kIndent, ' ', /*ensure_ascii=*/false, nlohmann::ordered_json::error_handler_t::replace));
}

std::string count_text(std::size_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string bytes_text(std::int64_t bytes) {
  constexpr double kKibi = 1024;
  const auto value = static_cast<double>(bytes);
  if (value < kKibi) return fmt::format("{} B", bytes);
  if (value < kKibi * kKibi) return fmt::format("{:.1f} KiB", value / kKibi);
  if (value < kKibi * kKibi * kKibi) return fmt::format("{:.1f} MiB", value / (kKibi * kKibi));
  return fmt::format("{:.1f} GiB", value / (kKibi * kKibi * kKibi));
}

std::string age_text(std::filesystem::file_time_type time) {
  using namespace std::chrono;
  const auto age = duration_cast<seconds>(std::filesystem::file_time_type::clock::now() - time);
  if (age < seconds(0)) return "in the future";
  if (age < minutes(2)) return fmt::format("{} s", age.count());
  if (age < hours(2)) return fmt::format("{} min", duration_cast<minutes>(age).count());
  if (age < hours(48)) return fmt::format("{} h", duration_cast<hours>(age).count());
  return fmt::format("{} days", duration_cast<hours>(age).count() / 24);
}

std::string short_key(const std::string& key) { return key.substr(0, 12); }

}  // namespace flashbias::tools
