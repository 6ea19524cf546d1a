#include "codegen/format/formatter.hpp"

#include <clang/Format/Format.h>
#include <clang/Tooling/Core/Replacement.h>

#include <string>
#include <vector>

namespace {

/// As .clang-format, so that generated source reads like the repository's; but lines of comments stay what they are.
constexpr const char* kStyle = R"(
BasedOnStyle: Google
ColumnLimit: 120
DerivePointerAlignment: false
PointerAlignment: Left
ReflowComments: false
)";

}  // namespace

extern "C" __attribute__((visibility("default"))) const char* flashbias_format(const char* text, std::size_t size,
                                                                               FlashbiasFormatSink sink,
                                                                               void* context) {
  clang::format::FormatStyle style;
  style.Language = clang::format::FormatStyle::LK_Cpp;
  if (clang::format::parseConfiguration(kStyle, &style)) return "this clang-format does not know the style's options";
  const llvm::StringRef code(text, size);
  const std::vector<clang::tooling::Range> everything{{0, static_cast<unsigned>(size)}};
  const auto replacements = clang::format::reformat(style, code, everything, "kernel.cu");
  auto formatted = clang::tooling::applyAllReplacements(code, replacements);
  if (!formatted) {
    llvm::consumeError(formatted.takeError());
    return "clang-format produced conflicting edits";
  }
  sink(context, formatted->data(), formatted->size());
  return nullptr;
}
