#include "codegen/mask_emitter.hpp"

#include <fmt/format.h>

#include <string_view>

#include "codegen/cuda_expression.hpp"
#include "codegen/rewrite.hpp"

namespace flashbias::codegen {
namespace {

std::string function(std::string_view name, const Expr& value) {
  const CudaExpression body = to_cuda(strip_names(value), {});
  return fmt::format(
      "__device__ __forceinline__ int {}(const Parameters& p, const BlockRows& block, int q_index) {{\n{}return "
      "{};\n}}\n",
      name, body.statements, body.value);
}

}  // namespace

std::string emit_key_range(const KeyRange& visible) {
  return fmt::format(
      "#include \"block_rows.cuh\"\n\n// A query sees the keys from the first to before the end: {}.\n{}{}",
      to_string(visible), function("first_key", visible.first ? max(*visible.first, 0) : Expr(0)),
      function("end_key", visible.end.value_or(bias::kv_length())));
}

}  // namespace flashbias::codegen
