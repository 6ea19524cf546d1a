#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "flashbias/error.hpp"
#include "flashbias/source.hpp"

// Any bytes, read as the text of a bias: they give an expression, or a flashbias::Error. Whatever the expression, its
// text parses back to it, and a plan for it can be explained and emitted, or is refused with a flashbias::Error.
// libFuzzer takes every other exception for a crash.
namespace {

using namespace flashbias;

void check_round_trip(const Expr& expr) {
  const std::string text = to_string(expr);
  if (equal(parse_expr(text), expr)) return;
  std::fprintf(stderr, "`%s` parses to another expression than it was printed from\n", text.c_str());
  std::abort();
}

void make_kernel(const Expr& expr, bool causal) {
  try {
    const KernelPlan made = plan({.head_dim = 16, .bias = expr, .causal = causal, .log_sum_exp = causal, .arch = {90}});
    (void)explain(made);
    (void)emit(made);
  } catch (const Error&) {
    return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Expr expr;
  try {
    expr = parse_expr({reinterpret_cast<const char*>(data), size});
  } catch (const Error&) {
    return 0;
  }
  check_round_trip(expr);
  make_kernel(expr, /*causal=*/false);
  make_kernel(expr, /*causal=*/true);
  return 0;
}
