#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "codegen/characters.hpp"
#include "codegen/excerpt.hpp"
#include "codegen/inputs.hpp"
#include "flashbias/bias.hpp"
#include "flashbias/error.hpp"

namespace flashbias::bias {
namespace {

Expr place(Op op) { return make_expr({.op = op, .type = {ScalarType::integer, 1}}); }

bool is_identifier(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameLength && codegen::is_letter(name.front()) &&
         std::ranges::all_of(name, codegen::is_letter_or_digit);
}

ScalarType scalar_type(std::optional<DType> dtype) {
  return !dtype || codegen::is_real(*dtype) ? ScalarType::real : ScalarType::integer;  // absent: that of q
}

Expr input(Op op, std::string name, int dims, std::optional<DType> dtype) {
  if (!is_identifier(name)) {
    throw Error(ErrorCode::invalid_config,
                fmt::format("'{}' cannot name a bias input; a name is a letter or _, then letters, digits and _, at "
                            "most {} in all",
                            codegen::excerpt(name), kMaxNameLength));
  }
  if (dims < 1 || dims > kMaxDims) {
    throw Error(ErrorCode::invalid_config,
                fmt::format("bias input '{}' has dims {}; 1 to {} are accepted", name, dims, kMaxDims));
  }
  return make_expr({.op = op, .type = {scalar_type(dtype), dims}, .name = std::move(name), .dtype = dtype});
}

}  // namespace

Expr q_index() { return place(Op::q_index); }
Expr kv_index() { return place(Op::kv_index); }
Expr q_length() { return place(Op::q_length); }
Expr kv_length() { return place(Op::kv_length); }
Expr head() { return place(Op::head); }
Expr batch() { return place(Op::batch); }

Expr infinity() { return {std::numeric_limits<double>::infinity()}; }

Expr head_scalar(std::string name, std::optional<DType> dtype) {
  return input(Op::head_scalar, std::move(name), 1, dtype);
}

Expr query_input(std::string name, int dims, std::optional<DType> dtype) {
  return input(Op::query_input, std::move(name), dims, dtype);
}

Expr key_input(std::string name, int dims, std::optional<DType> dtype) {
  return input(Op::key_input, std::move(name), dims, dtype);
}

Expr pair_input(std::string name, std::optional<DType> dtype) {
  return input(Op::pair_input, std::move(name), 1, dtype);
}

Expr table(std::string name, int entries, const Expr& index, std::optional<DType> dtype) {
  if (entries < 1 || entries > kMaxTableEntries) {
    throw Error(ErrorCode::invalid_config, fmt::format("table '{}' has {} entries; 1 to {} are accepted",
                                                       codegen::excerpt(name), entries, kMaxTableEntries));
  }
  if (index.type() != ValueType{ScalarType::integer, 1}) {
    throw Error(ErrorCode::invalid_config,
                fmt::format("table '{}' is indexed by `{}` ({}); the index must be one integer", codegen::excerpt(name),
                            codegen::excerpt(to_string(index)), to_string(index.type())));
  }
  ExprNode node = input(Op::table, std::move(name), 1, dtype).node();
  node.args = {index};
  node.integer = entries;
  return make_expr(std::move(node));
}

}  // namespace flashbias::bias
