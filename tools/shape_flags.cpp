#include "tools/shape_flags.hpp"

#include <cstdint>

#include "tools/flag_checks.hpp"

namespace flashbias::tools {

void ShapeFlags::add_to(CLI::App& verb, const std::string& group) {
  const auto add_size = [&](const char* name, std::int64_t& size, const char* help) {
    verb.add_option(name, size, help)->check(whole_number(1))->group(group);
  };
  add_size("--batch", given_.batch, "1 by default");
  add_size("--heads", given_.heads, "8 by default");
  add_size("--kv-heads", given_.kv_heads, "of k and v; --heads by default");
  add_size("--seqlen-q", given_.seqlen_q, "1024 by default");
  add_size("--seqlen-k", given_.seqlen_k, "--seqlen-q by default");
}

Shape ShapeFlags::shape() const {
  Shape shape = given_;
  if (shape.kv_heads == 0) shape.kv_heads = shape.heads;
  if (shape.seqlen_k == 0) shape.seqlen_k = shape.seqlen_q;
  return shape;
}

}  // namespace flashbias::tools
