#include "tools/manifest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <span>
#include <system_error>

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

  void require(const char* field) const { (void)required(field); }

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

/// A config of an entry, and what tells it from the others of the entry.
struct Variant {
  std::string name;
  AttentionConfig config;
};

AttentionConfig parse_manifest_config(const std::string& text) {
  AttentionConfig config = parse_config(text);
  if (!config.arch.is_current_device()) {
    throw Error(ErrorCode::parse, "a manifest names no arch: it is chosen when the kernels are compiled");
  }
  config.arch = supported_archs().back();  // what else is wrong shows on any architecture
  validate(config);
  config.arch = {};
  return config;
}

/// The one field whose value is itself a list, of names.
constexpr std::string_view kNamesField = "gradients";

/// `q,slopes`
std::string names_text(const Object& object, const Pointer& at, const json& names) {
  std::string text;
  for (const json& name : names) {
    if (!name.is_string()) object.reject(at, fmt::format("expected a list of names, got {}", names.dump()));
    text += (text.empty() ? "" : ",") + name.get<std::string>();
  }
  return text;
}

/// A value of a config's field as the config's text has it.
std::string field_text(const Object& object, const Pointer& at, const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean() || value.is_number_integer()) return value.dump();
  object.reject(at, fmt::format("expected a text, an integer or a boolean, got {}", value.dump()));
}

/// The configs that a manifest value stands for: a text, an object of fields each with a value or a list of them (the
/// product of these, but for a list of names), or a list of texts and objects.
class VariantReader {
 public:
  VariantReader(const LocatedJson& document, const Object& object) : document_(document), object_(object) {}

  std::vector<Variant> read(const Pointer& at) {
    add(at, "");
    return std::move(variants_);
  }

 private:
  void add(const Pointer& at, const std::string& name) {
    const json& value = document_.root().at(at);
    if (value.is_string()) {
      add_text(at, name, value.get<std::string>());
    } else if (value.is_object()) {
      add_product(at, name, value);
    } else if (value.is_array() && !value.empty() && name.empty()) {
      for (std::size_t i = 0; i < value.size(); ++i) add(at / i, fmt::format("[{}]", i));
    } else {
      object_.reject(
          at, fmt::format("config: expected a text, an object of fields or a list of these, got {}", value.dump()));
    }
  }

  void add_text(const Pointer& at, const std::string& name, const std::string& text) {
    if (variants_.size() == kMaxKernels) {
      object_.reject(at, fmt::format("config: describes more than {} kernels", kMaxKernels));
    }
    try {
      variants_.push_back({.name = name, .config = parse_manifest_config(text)});
    } catch (const Error& error) {
      object_.reject(at, fmt::format("config: {}", error.what()));
    }
  }

  void add_product(const Pointer& at, const std::string& name, const json& fields) {
    add_product(at, fields, fields.begin(), "", name);
  }

  // NOLINTNEXTLINE(misc-no-recursion): as deep as there are fields
  void add_product(const Pointer& at, const json& fields, json::const_iterator field, const std::string& text,
                   const std::string& name) {
    if (field == fields.end()) return add_text(at, name, text);
    if (field.key().find_first_not_of("abcdefghijklmnopqrstuvwxyz_") != std::string::npos)
      object_.reject(at, fmt::format("config: \"{}\" is no name of a field; give one field a key", field.key()));
    const bool is_names = field.key() == kNamesField;
    const auto add_value = [&](const Pointer& where, const json& value, bool varies) {
      const std::string written =
          value.is_array() && is_names ? names_text(object_, where, value) : field_text(object_, where, value);
      if (written.find('"') != std::string::npos) {
        object_.reject(
            where, fmt::format("config: {} is {}, and no value holds a \"; leave it out", field.key(), value.dump()));
      }
      const std::string label = fmt::format("{}{}={}", name.empty() ? "" : " ", field.key(), written);
      add_product(at, fields, std::next(field), fmt::format("{} {}=\"{}\"", text, field.key(), written),
                  varies ? name + label : name);
    };
    const Pointer where = at / field.key();
    if (field->is_array() && field->empty())
      object_.reject(where, fmt::format("config: {} is an empty list", field.key()));
    if (!field->is_array() || is_names) return add_value(where, *field, /*varies=*/false);
    for (std::size_t i = 0; i < field->size(); ++i) add_value(where / i, field->at(i), /*varies=*/true);
  }

  static constexpr std::size_t kMaxKernels = 10'000;

  const LocatedJson& document_;
  const Object& object_;
  std::vector<Variant> variants_;
};

void parse_entry(const LocatedJson& document, const Pointer& at, std::size_t index,
                 std::vector<ManifestEntry>& entries) {
  const json& value = document.root().at(at);
  std::string name = fmt::format("kernels[{}]", index);
  if (value.is_object() && value.contains("name") && value["name"].is_string()) {
    name = fmt::format("\"{}\"", value["name"].get<std::string>());
  }
  const Object object(document, at, name, {"name", "config", "shape", "source"});
  const std::string title = object.text("name");
  object.require("config");
  const auto shape = object.has("shape") ? std::optional(parse_shape(document, at / "shape", name)) : std::nullopt;
  const std::string source = object.has("source") ? object.text("source") : "";
  for (auto& variant : VariantReader(document, object).read(at / "config")) {
    entries.push_back({.name = variant.name.empty() ? title : fmt::format("{}, {}", title, variant.name),
                       .config = std::move(variant.config),
                       .shape = shape,
                       .source = source});
  }
}

LocatedJson parse_document(std::string_view text, const std::string& file) {
  return file.ends_with(".toml") ? LocatedJson::from_toml(text, file) : LocatedJson::from_json(text, file);
}

}  // namespace

std::vector<ManifestEntry> parse_manifest(std::string_view text, const std::string& file) {
  const LocatedJson document = parse_document(text, file);
  const Object root(document, Pointer(), "manifest", {"kernels"});
  const Pointer kernels("/kernels");
  if (!root.has("kernels") || !document.root().at(kernels).is_array() || document.root().at(kernels).empty()) {
    root.reject(kernels, "expected \"kernels\": [...] with at least one entry");
  }
  std::vector<ManifestEntry> entries;
  for (std::size_t i = 0; i < document.root().at(kernels).size(); ++i) {
    parse_entry(document, kernels / i, i, entries);
  }
  return entries;
}

std::vector<ManifestEntry> read_manifest(const std::filesystem::path& path) {
  constexpr std::size_t kMaxBytes = std::size_t{16} << 20U;
  errno = 0;  // the library leaves the reason there
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kMaxBytes) {
    throw Error(ErrorCode::io, fmt::format("the manifest {} is larger than {} bytes", path.string(), kMaxBytes));
  }
  if (file.bad() || !file.eof()) {
    throw Error(ErrorCode::io,
                fmt::format("cannot read the manifest {}: {}", path.string(), std::generic_category().message(errno)));
  }
  return parse_manifest(text, path.string());
}

}  // namespace flashbias::tools
