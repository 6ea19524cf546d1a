#pragma once

#include <map>
#include <string_view>

namespace flashbias::codegen {

/// The files of templates/ by name (`softmax.cuh`), compiled into the library.
[[nodiscard]] const std::map<std::string_view, std::string_view>& embedded_templates();

}  // namespace flashbias::codegen
