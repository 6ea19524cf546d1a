#include "tools/manifest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <span>

#include "flashbias/error.hpp"
#include "tools/located_json.hpp"
#include "tools/suggest.hpp"

namespace flashbias::tools {
namespace {

using nlohmann::json;
using Pointer = LocatedJson::Pointer;

/// One object of the manifest: its fields by name, and errors that say where they are.
class Object {
 public:
  Object(const LocatedJson& document, Pointer at, std::string name, std::initializer_list<std::string_view> fields)
      : document_(document), at_(std::move(at)), name_(std::move(name)) {
    if (!value().is_object()) reject(at_, fmt::format("expected an object, got {}", value().dump()));
    for (const auto& [key, unused] : value().items()) {
      if (std::ranges::count(fields, key) > 0) continue;
      reject(at_ / key, fmt::format("unknown field \"{}\"{}", key, suggestion(key, fields)));
    }
  }

  [[nodiscard]] bool has(const char* field) const { return value().contains(field); }

  [[nodiscard]] std::string text(const char* field) const {
    const json& found = required(field);
    if (!found.is_string()) reject(at_ / field, fmt::format("{} is {}, expected a string", field, found.dump()));
    return found.get<std::string>();
  }

  [[nodiscard]] std::int64_t positive(const char* field) const {
    const json& found = required(field);
    if (!found.is_number_integer() || found.get<std::int64_t>() < 1) {
      reject(at_ / field, fmt::format("{} is {}, expected a positive integer", field, found.dump()));
    }
    return found.get<std::int64_t>();
  }

  [[noreturn]] void reject(const Pointer& at, const std::string& problem) const {
    throw Error(ErrorCode::parse, fmt::format("{}: {}: {}", document_.place(at), name_, problem));
  }
  [[nodiscard]] const Pointer& at() const noexcept { return at_; }

 private:
  [[nodiscard]] const json& value() const { return document_.root().at(at_); }
  [[nodiscard]] const json& required(const char* field) const {
    if (!has(field)) reject(at_, fmt::format("field \"{}\" is missing", field));
    return value().at(field);
  }

  const LocatedJson& document_;
  Pointer at_;
  std::string name_;
};

Shape parse_shape(const LocatedJson& document, const Pointer& at, const std::string& name) {
  const Object object(document, at, name + ": shape", {"batch", "heads", "kv_heads", "seqlen_q", "seqlen_k"});
  Shape shape;
  shape.batch = object.positive("batch");
  shape.heads = object.positive("heads");
  shape.kv_heads = object.has("kv_heads") ? object.positive("kv_heads") : shape.heads;
  shape.seqlen_q = object.positive("seqlen_q");
  shape.seqlen_k = object.has("seqlen_k") ? object.positive("seqlen_k") : shape.seqlen_q;
  if (shape.heads % shape.kv_heads != 0) {
    object.reject(at / "kv_heads", fmt::format("heads is {}, no multiple of kv_heads {}", shape.heads, shape.kv_heads));
  }
  return shape;
}

AttentionConfig parse_entry_config(const Object& object) {
  const auto text = object.text("config");
  try {
    AttentionConfig config = parse_config(text);
    const bool names_arch = !config.arch.is_current_device();
    if (names_arch)
      throw Error(ErrorCode::parse, "a manifest names no arch: it is chosen when the kernels are compiled");
    config.arch = supported_archs().back();  // what else is wrong shows on any architecture
    validate(config);
    config.arch = {};
    return config;
  } catch (const Error& error) {
    object.reject(object.at() / "config", fmt::format("config: {}", error.what()));
  }
}

ManifestEntry parse_entry(const LocatedJson& document, const Pointer& at, std::size_t index) {
  const json& value = document.root().at(at);
  std::string name = fmt::format("kernels[{}]", index);
  if (value.is_object() && value.contains("name") && value["name"].is_string()) {
    name = fmt::format("\"{}\"", value["name"].get<std::string>());
  }
  const Object object(document, at, name, {"name", "config", "shape", "source"});
  return {.name = object.text("name"),
          .config = parse_entry_config(object),
          .shape = object.has("shape") ? std::optional(parse_shape(document, at / "shape", name)) : std::nullopt,
          .source = object.has("source") ? object.text("source") : ""};
}

}  // namespace

std::vector<ManifestEntry> parse_manifest(std::string_view text, const std::string& file) {
  const LocatedJson document(text, file);
  const Object root(document, Pointer(), "manifest", {"kernels"});
  const Pointer kernels("/kernels");
  if (!root.has("kernels") || !document.root().at(kernels).is_array() || document.root().at(kernels).empty()) {
    root.reject(kernels, "expected \"kernels\": [...] with at least one entry");
  }
  std::vector<ManifestEntry> entries;
  for (std::size_t i = 0; i < document.root().at(kernels).size(); ++i) {
    entries.push_back(parse_entry(document, kernels / i, i));
  }
  return entries;
}

std::vector<ManifestEntry> read_manifest(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file) throw Error(ErrorCode::io, fmt::format("cannot read the manifest {}", path.string()));
  return parse_manifest(text, path.string());
}

}  // namespace flashbias::tools
