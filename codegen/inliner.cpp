#include "codegen/inliner.hpp"

#include <set>
#include <stdexcept>

#include "codegen/templates.hpp"

namespace flashbias::codegen {
namespace {

class Inliner {
 public:
  explicit Inliner(const Choices& choices) : choices_(choices) {}

  void include(std::string_view name) {
    if (!included_.emplace(name).second) return;
    if (const auto choice = choices_.find(name); choice != choices_.end())
      append(choice->second);
    else if (const auto file = embedded_templates().find(name); file != embedded_templates().end())
      append(file->second);
    else
      throw std::logic_error("no template " + std::string(name));
  }

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  void append(std::string_view file) {
    while (!file.empty()) {
      const std::size_t end = std::min(file.find('\n'), file.size() - 1) + 1;
      append_line(file.substr(0, end));
      file.remove_prefix(end);
    }
  }

  void append_line(std::string_view line) {
    constexpr std::string_view kInclude = "#include \"";
    if (line.starts_with("#pragma once")) return;
    if (line.starts_with(kInclude)) {
      line.remove_prefix(kInclude.size());
      include(line.substr(0, line.find('"')));
      return;
    }
    const bool blank = line == "\n";
    if (blank && (text_.empty() || text_.ends_with("\n\n"))) return;
    text_ += line;
  }

  const Choices& choices_;
  std::set<std::string, std::less<>> included_;
  std::string text_;
};

}  // namespace

std::string inline_templates(std::string_view root, const Choices& choices) {
  Inliner inliner(choices);
  inliner.include(root);
  return inliner.take();
}

}  // namespace flashbias::codegen
