#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "codegen/backward_planner.hpp"
#include "codegen/index_algebra.hpp"
#include "codegen/wgmma_emitter.hpp"
#include "flashbias/plan.hpp"

namespace flashbias {
namespace {

std::string shape_of(const InputSpec& input) {
  switch (input.kind) {
    case Op::head_scalar:
      return "[B|1, H]";
    case Op::query_input:
      return fmt::format("[B|1, Nq, H|1, {}]", input.dims);
    case Op::key_input:
      return fmt::format("[B|1, Nk, H|1, {}]", input.dims);
    case Op::table:
      return fmt::format("[B|1, H|1, {}]", input.dims);
    default:
      return "[B|1, H|1, Nq, Nk]";
  }
}

/// What else could execute the term, with predicted costs.
std::string alternatives_of(const TermPlan& term) {
  if (term.alternatives.empty()) return "";
  std::string text = "        instructions a score, predicted:";
  std::string_view separator = " ";
  for (const Alternative& alternative : term.alternatives) {
    const bool taken = alternative.lowering == term.lowering;
    text += fmt::format("{}{} {:.1f}{}", separator, to_string(alternative.lowering), alternative.cost,
                        taken ? " (taken)" : "");
    separator = ", ";
  }
  text += '\n';
  for (const Alternative& alternative : term.alternatives)
    if (!alternative.obstacle.empty())
      text += fmt::format("        not {}: {}\n", to_string(alternative.lowering), alternative.obstacle);
  return text;
}

std::string range_of(const InputSpec& input) {
  return input.range ? fmt::format(" from {} to {}", input.range->low, input.range->high) : "";
}

template <class Predicate>
void collect(const Expr& expr, const Predicate& predicate, std::vector<Expr>& found) {
  if (predicate(expr)) found.push_back(expr);
  for (const Expr& arg : expr.node().args) collect(arg, predicate, found);
}

/// The approximations within an expression.
std::vector<Expr> approximations(const Expr& expr) {
  std::vector<Expr> found;
  collect(
      expr, [](const Expr& e) { return e.node().approximated.has_value(); }, found);
  return found;
}

/// The tables whose index might leave them.
std::string nearest_entries_of(const Expr& expr) {
  std::vector<Expr> found;
  collect(
      expr, [](const Expr& e) { return e.op() == Op::table && !codegen::index_stays_inside(e); }, found);
  std::set<std::string> lines;
  for (const Expr& table : found)
    lines.insert(fmt::format("        table {}: an index outside 0 to {} reads the nearest entry\n", table.node().name,
                             table.node().integer - 1));
  return fmt::format("{}", fmt::join(lines, ""));
}

/// Names of what a backward pass of keys adds to the gradients of.
std::vector<std::string> sums_of_queries(const KernelPlan& plan) {
  std::vector<std::string> names = {"q"};
  for (const InputSpec& input : plan.input_gradients)
    if (input.kind != Op::key_input) names.push_back(input.name);
  return names;
}

/// Names of what a backward pass writes gradients of.
std::vector<std::string> gradients_of(const KernelPlan& plan, const BackwardPass& pass) {
  std::vector<std::string> names;
  if (pass.writes_operand) names.emplace_back(pass.owns_keys ? "k" : "q");
  if (pass.writes_values) names.emplace_back("v");
  if (pass.writes_inputs)
    for (const InputSpec& input : plan.input_gradients)
      if ((input.kind == Op::key_input) == pass.owns_keys) names.push_back(input.name);
  return names;
}

int workspace_bytes(const KernelPlan& plan) {
  return codegen::workspace_columns(plan) * static_cast<int>(sizeof(float));
}

}  // namespace

std::string explain(const KernelPlan& plan) {
  std::string text = fmt::format("config: {}\n", to_string(plan.config));
  text += fmt::format("kernel: main loop {} ({}): {}\n", to_string(plan.main_loop),
                      plan.main_loop == MainLoop::hopper ? "wgmma" : "mma.sync", plan.main_loop_reason);
  text += fmt::format("        {} queries x {} keys on {} warps, {} bytes of shared memory\n", plan.tile.block_q,
                      plan.tile.block_k, plan.tile.warps, plan.shared_bytes);
  text += fmt::format("        {}\n", plan.tile.reason);
  if (plan.tile.allowed_spill_bytes > 0)
    text += fmt::format("        may spill up to {} bytes a thread{}\n", plan.tile.allowed_spill_bytes,
                        plan.passes.empty() ? ", read back once a tile: faster than a smaller tile" : "");
  if (plan.program && codegen::multiplies_slope(plan))
    text += "        what is linear in kv_index: slope x place of the key in its tile, by one more wgmma step\n";
  if (!plan.fetched_pairs.empty())
    text += fmt::format(
        "        {} by the copy engine, a tile at a time, where all rows begin at multiples of 16 bytes; elsewhere "
        "each "
        "warp reads its own rows, which takes up to four times as long\n",
        fmt::join(plan.fetched_pairs, ", "));
  for (const BackwardPass& pass : plan.passes) {
    text += fmt::format("pass:   rows of {}, which walk over the {}: gradients of {}\n",
                        pass.owns_keys ? "keys" : "queries", pass.owns_keys ? "queries" : "keys",
                        fmt::join(gradients_of(plan, pass), ", "));
    if (pass.adds_to_queries)
      text += fmt::format(
          "        on the way they add to those of {}, in any order (deterministic=true takes a pass of its own){}{}\n",
          fmt::join(sums_of_queries(plan), ", "),
          plan.main_loop == MainLoop::portable ? ""
          : pass.adds_by_tiles                 ? "; each of two warpgroups for every second tile of queries"
                                               : "; each of two warpgroups half of the columns",
          pass.joins_factors ? ", factors in the products of q and k" : "");
  }
  if (plan.config.deterministic)
    for (const InputSpec* input : codegen::summed_inputs(plan))
      text += fmt::format(
          "        the gradient of {} where several warps add to a number: exact sums, {} bytes of workspace each\n",
          input->name, codegen::kFloatsOfExactSum * sizeof(float));
  if (!plan.passes.empty())
    text += fmt::format("        {} bytes of workspace for each query and head\n", workspace_bytes(plan));
  if (plan.terms.empty()) text += "bias:   none\n";
  for (const TermPlan& term : plan.terms) {
    text +=
        fmt::format("bias:   {}\n        {}: {}\n", to_string(term.expression), to_string(term.lowering), term.reason);
    text += alternatives_of(term) + nearest_entries_of(term.expression);
    for (const Expr& approximation : approximations(term.expression)) {
      const Expr& expr = *approximation.node().approximated;
      const auto& [q, k] = bias::factor_names(expr);
      text += fmt::format(
          "        an approximation of {}: exact for the factors supplied as {} and {}; their own error is told where "
          "they are made (`flashbias decompose`)\n",
          to_string(expr), q, k);
    }
  }
  for (const InputSpec& input : plan.inputs)
    text += fmt::format("input:  {} {} {}{}\n", input.name, to_string(input.dtype), shape_of(input), range_of(input));
  return text;
}

std::string explain_json(const KernelPlan& plan) {
  nlohmann::ordered_json json;
  json["config"] = to_string(plan.config);
  json["main_loop"] = {{"name", to_string(plan.main_loop)}, {"reason", plan.main_loop_reason}};
  json["tile"] = {{"block_q", plan.tile.block_q},
                  {"block_k", plan.tile.block_k},
                  {"warps", plan.tile.warps},
                  {"stages", plan.tile.stages},
                  {"blocks_per_multiprocessor", plan.tile.blocks_per_multiprocessor},
                  {"query_in_registers", plan.tile.query_in_registers},
                  {"allowed_spill_bytes", plan.tile.allowed_spill_bytes},
                  {"reason", plan.tile.reason}};
  json["fetched_pairs"] = plan.fetched_pairs;
  json["shared_bytes"] = plan.shared_bytes;
  json["terms"] = nlohmann::ordered_json::array();
  for (const TermPlan& term : plan.terms) {
    auto& shown = json["terms"].emplace_back(nlohmann::ordered_json{
        {"expression", to_string(term.expression)}, {"lowering", to_string(term.lowering)}, {"reason", term.reason}});
    if (term.separable_rank) shown["separable_rank"] = *term.separable_rank;
    for (const Alternative& alternative : term.alternatives) {
      auto& offer = shown["alternatives"].emplace_back(nlohmann::ordered_json{
          {"lowering", to_string(alternative.lowering)}, {"instructions_a_score", alternative.cost}});
      if (!alternative.obstacle.empty()) offer["obstacle"] = alternative.obstacle;
    }
    for (const Expr& approximation : approximations(term.expression))
      shown["approximates"].push_back(to_string(*approximation.node().approximated));
  }
  for (const BackwardPass& pass : plan.passes) {
    auto& shown = json["passes"].emplace_back(
        nlohmann::ordered_json{{"rows", pass.owns_keys ? "keys" : "queries"}, {"gradients", gradients_of(plan, pass)}});
    if (pass.adds_to_queries) {
      shown["adds_to"] = sums_of_queries(plan);
      shown["by_tiles"] = pass.adds_by_tiles;
      shown["joins_factors"] = pass.joins_factors;
    }
  }
  if (!plan.passes.empty()) json["workspace_bytes_a_query"] = workspace_bytes(plan);
  json["inputs"] = nlohmann::ordered_json::array();
  for (const InputSpec& input : plan.inputs) {
    nlohmann::ordered_json& shown = json["inputs"].emplace_back(
        nlohmann::ordered_json{{"name", input.name}, {"dtype", to_string(input.dtype)}, {"shape", shape_of(input)}});
    if (input.range) shown["range"] = {input.range->low, input.range->high};
  }
  return json.dump(2);
}

}  // namespace flashbias
