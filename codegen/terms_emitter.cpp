#include "codegen/terms_emitter.hpp"

#include <fmt/format.h>

namespace flashbias::codegen {

std::string members_of(const std::vector<HoistedValue>& values) {
  std::string text;
  for (const HoistedValue& value : values)
    text += fmt::format("  {} {};  // {}\n", cuda_type(value.meaning), value.name, to_string(value.meaning));
  return text;
}

std::string assignment(const std::string& target, const Expr& meaning, const CudaScope& scope) {
  const CudaExpression code = to_cuda(meaning, scope);
  if (code.statements.empty()) return fmt::format("{} = {};\n", target, code.value);
  return fmt::format("{{\n{}{} = {};\n}}\n", code.statements, target, code.value);
}

std::string assignments_of(const std::vector<HoistedValue>& values, const CudaScope& scope) {
  std::string text;
  for (const HoistedValue& value : values) text += assignment("terms." + value.name, value.meaning, scope);
  return text;
}

}  // namespace flashbias::codegen
