#include <fmt/format.h>

#include <string>

#include "flashbias/error.hpp"
#include "tools/located_json.hpp"
#include "tools/toml.hpp"

namespace flashbias::tools {
namespace {

using nlohmann::json;
using Pointer = LocatedJson::Pointer;

[[noreturn]] void reject(const std::string& file, const toml::source_position& at, std::string_view problem) {
  throw Error(ErrorCode::parse, fmt::format("{}:{}:{}: {}", file, at.line, at.column, problem));
}

/// Converts values and notes their lines.
class Converter {
 public:
  Converter(const std::string& file, std::map<std::string, int>& lines) : file_(file), lines_(lines) {}

  json convert(const toml::node& node, const Pointer& at) {
    lines_.emplace(at.to_string(), static_cast<int>(node.source().begin.line));
    if (const auto* table = node.as_table()) return convert_table(*table, at);
    if (const auto* array = node.as_array()) return convert_array(*array, at);
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* integer = node.as_integer()) return integer->get();
    if (const auto* real = node.as_floating_point()) return real->get();
    if (const auto* boolean = node.as_boolean()) return boolean->get();
    reject(file_, node.source().begin, "expected a text, number, boolean, list or table, got a date or time");
  }

 private:
  json convert_table(const toml::table& table, const Pointer& at) {
    json object = json::object();
    for (const auto& [key, value] : table) {
      const std::string name(key.str());
      object[name] = convert(value, at / name);
      // As in JSON: where the key is, not its value.
      lines_[(at / name).to_string()] = static_cast<int>(key.source().begin.line);
    }
    return object;
  }

  json convert_array(const toml::array& array, const Pointer& at) {
    json list = json::array();
    for (const auto& value : array) list.push_back(convert(value, at / list.size()));
    return list;
  }

  const std::string& file_;
  std::map<std::string, int>& lines_;
};

}  // namespace

LocatedJson LocatedJson::from_toml(std::string_view text, std::string file) {
  LocatedJson document(std::move(file));
  try {
    const toml::table root = toml::parse(text);
    document.root_ = Converter(document.file_, document.lines_).convert(root, Pointer());
    return document;
  } catch (const toml::parse_error& error) {
    reject(document.file_, error.source().begin, error.description());
  }
}

}  // namespace flashbias::tools
