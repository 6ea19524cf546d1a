#include "codegen/mask_emitter.hpp"

#include <fmt/format.h>

#include <string_view>

#include "codegen/cuda_expression.hpp"
#include "codegen/rewrite.hpp"

namespace flashbias::codegen {
namespace {

std::string function(std::string_view name, const CudaExpression& body) {
  return fmt::format(
      "__device__ __forceinline__ int {}(const Parameters& p, const BlockRows& block, int q_index) {{\n{}return "
      "{};\n}}\n",
      name, body.statements, body.value);
}

/// `name` of what is always there and of the expression, where there is one.
CudaExpression choose(std::string_view name, std::string_view always, const std::optional<Expr>& end) {
  if (!end) return {.statements = {}, .value = std::string(always)};
  CudaExpression code = to_cuda(strip_names(*end), {});
  code.value = fmt::format("{}({}, {})", name, code.value, always);
  return code;
}

}  // namespace

std::string emit_key_range(const KeyRange& visible) {
  return "#include \"block_rows.cuh\"\n#include \"mask.cuh\"\n\n// A query sees the keys from the first to before the "
         "end: " +
         to_string(visible) + ".\n" + function("first_key", choose("max", "0", visible.first)) +
         function("end_key", choose("min", "visible_keys(p, q_index)", visible.end));
}

}  // namespace flashbias::codegen
