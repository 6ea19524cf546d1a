#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <string>

#include "codegen/format/formatter.hpp"
#include "flashbias/error.hpp"
#include "flashbias/source.hpp"
#include "runtime/dynamic_library.hpp"
#include "runtime/environment.hpp"

namespace flashbias {
namespace {

constexpr const char* kModuleName = "libflashbias_format.so";

/// FLASHBIAS_FORMATTER, else beside the library that this code is in.
std::filesystem::path module_path() {
  if (const auto chosen = runtime::environment_variable("FLASHBIAS_FORMATTER")) return *chosen;
  Dl_info library{};
  if (dladdr(reinterpret_cast<const void*>(&module_path), &library) == 0) return kModuleName;
  return std::filesystem::path(library.dli_fname).parent_path() / kModuleName;
}

/// The module, or why there is none.
struct Formatter {
  std::optional<runtime::DynamicLibrary> module;
  FlashbiasFormatFunction format = nullptr;
  std::string why_not;

  Formatter() {
    try {
      module.emplace(module_path());
      format = module->symbol(kFormatFunctionName);
    } catch (const Error& error) {
      why_not = fmt::format(
          "{}; install libclang-14-dev and llvm-14-dev (or newer) and rebuild, or name the module in "
          "FLASHBIAS_FORMATTER",
          error.what());
    }
  }
};

}  // namespace

FormattedSource format_source(const KernelSource& source) {
  // Never closed: LLVM's globals own memory that nobody frees when the module is unloaded.
  static const auto& formatter = *new Formatter;
  FormattedSource result{.text = source.text, .formatted = false, .why_not = formatter.why_not};
  if (formatter.format == nullptr) return result;
  const auto keep = [](void* context, const char* text, std::size_t size) {
    static_cast<std::string*>(context)->assign(text, size);
  };
  const char* problem = formatter.format(source.text.data(), source.text.size(), keep, &result.text);
  result.formatted = problem == nullptr;
  if (problem != nullptr) result.why_not = problem;
  return result;
}

}  // namespace flashbias
