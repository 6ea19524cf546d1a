#include <fmt/format.h>

#include <tuple>

#include "codegen/backward_bias_emitter.hpp"
#include "codegen/source_parts.hpp"

namespace flashbias::codegen {
namespace {

/// What a kind of main loop writes of the low-rank terms.
struct Texts {
  std::string members, clear, load_queries, load_keys, multiply;
};

std::string gradients_text(const char* type, const std::string& members, const std::string& other,
                           const std::string& add_parameters, const std::string& add, const std::string& write) {
  return fmt::format(
      "struct {} {{\n{}\n{}__device__ __forceinline__ void add({}) {{\n{}}}\n__device__ __forceinline__ void "
      "write(const Parameters& p, int batch, int head, int start, int end) const {{\n{}}}\n}};\n\n",
      type, members, other, add_parameters, add, write);
}

}  // namespace

std::string BackwardBias::emit_factors(bool keys_add_to_queries) const {
  Texts texts;
  for (std::size_t i = 0; i < factors_.size(); ++i) {
    const auto load = [&](const std::string& input, const char* length) {
      return fmt::format(
          "load_tile(factors{0}, reinterpret_cast<const u16*>(p.{1}_input.row(batch, head, start)), "
          "p.{1}_input.row_stride, p.{2} - start);\n",
          i, input, length);
    };
    texts.members += fmt::format("SharedTile<Rows, {}> factors{};\n", factors_[i].rank, i);
    texts.clear += fmt::format("::clear_padding(factors{});\n", i);
    texts.load_queries += load(factors_[i].q_input, "q_length");
    texts.load_keys += load(factors_[i].k_input, "kv_length");
    texts.multiply += fmt::format("multiply_rows(scores, rows.factors{0}, columns.factors{0}, first);\n", i);
  }
  if (!factors_.empty()) texts.multiply += "scale_scores(scores, p.inverse_softmax_scale);\n";
  const auto gradients = [&](const char* type, std::string FactorTerm::*side) {
    std::string members;
    std::string add;
    std::string write;
    for (std::size_t i = 0; i < factors_.size(); ++i) {
      if (!is_wanted(factors_[i].*side)) continue;
      members += fmt::format("FactorGradient<{}> factors{};\n", factors_[i].rank, i);
      add += fmt::format("factors{0}.add(gradients, columns.factors{0}, first);\n", i);
      write += fmt::format("factors{}.write({}, batch, head, start, end);\n", i, gradient_of(factors_[i].*side));
    }
    return gradients_text(type, members, "", "const RowScores& gradients, const Factors<kBlockQ>& columns, int first",
                          add, write);
  };
  constexpr const char* kLoad = "(const Parameters& p, int batch, int head, int start)";
  std::string shares;
  for (std::size_t i = 0; i < factors_.size() && keys_add_to_queries; ++i)
    if (is_wanted(factors_[i].q_input))
      shares += fmt::format(
          "add_query_share(p.workspace + p.{1}_sums, first.factors{0} + tile, gradients, keys.factors{0});\n", i,
          factors_[i].q_input);
  const std::string add_shares = fmt::format(
      "// What keys add to the gradients of queries' factors.\n__device__ __forceinline__ void "
      "add_factor_shares(const Parameters& p, const FirstFactorTiles& first, int tile, const ScoreTile& "
      "gradients, const Factors<kBlockK>& keys) {{\n{}}}\n",
      shares);
  return fmt::format(
             "#include \"backward/bias.cuh\"\n#include \"backward/products.cuh\"\n{}{}{}#include "
             "\"load_tile.cuh\"\n\n"
             "// Low-rank terms of the bias: a tile a side, and products of them.\ntemplate <int Rows>\nstruct Factors "
             "{{\n{}\n__device__ "
             "__forceinline__ void clear_padding() {{\n{}}}\n__device__ __forceinline__ void load_queries{} {{\n{}}}\n"
             "__device__ __forceinline__ void load_keys{} {{\n{}}}\n}};\n\n"
             "__device__ __forceinline__ void multiply_factors(RowScores& scores, const Parameters& p, const "
             "Factors<kBlockK>& "
             "rows, const Factors<kBlockQ>& columns, int first) {{\n{}}}\n\n",
             factors_.empty() ? "" : include_line("backward/scale_scores.cuh"),
             wants_factors() ? include_line("backward/factor_gradient.cuh") : "",
             keys_add_to_queries ? "#include \"backward/factor_sums.cuh\"\n#include \"backward/query_share.cuh\"\n"
                                 : "",
             texts.members, texts.clear, kLoad, texts.load_queries, kLoad, texts.load_keys, texts.multiply) +
         gradients("QueryFactorGradients", &FactorTerm::q_input) +
         gradients("KeyFactorGradients", &FactorTerm::k_input) + (keys_add_to_queries ? add_shares : "");
}

std::string BackwardBias::emit_factor_sums() const {
  std::string tiles;
  std::string begin;
  std::string store;
  for (std::size_t i = 0; i < factors_.size(); ++i) {
    const auto& [q_input, rank] = std::tie(factors_[i].q_input, factors_[i].rank);
    if (!is_wanted(q_input)) continue;
    tiles += fmt::format("int factors{} = 0;\n", i);
    begin += fmt::format("factors{0} = DistinctHeads(p, p.{1}_gradient).index(batch, head) * p.q_tiles;\n", i, q_input);
    store += fmt::format("store_factor_gradient<{0}>(p, p.{1}_sums, p.{1}_sums_end, p.{1}_gradient);\n", rank, q_input);
  }
  return fmt::format(
      "#include \"backward/store_query_sums.cuh\"\n\n"
      "// Where the sums of a head for its factors begin: its first tile of queries among all.\nstruct "
      "FirstFactorTiles "
      "{{\n{}\nFirstFactorTiles() = default;\n"
      "__device__ __forceinline__ FirstFactorTiles(const Parameters& p, int batch, int head) {{\n{}}}\n}};\n"
      "// They become gradients.\n__device__ __forceinline__ void store_factor_gradients(const Parameters& p) "
      "{{\n{}}}\n",
      tiles, begin, store);
}

std::string BackwardBias::emit_hopper_factors(const HopperFactors& form) const {
  Texts texts;
  std::string bytes;
  for (std::size_t i = 0; i < factors_.size(); ++i) {
    const std::string tile = fmt::format("SwizzledTile<kBlock, {}{}>", factors_[i].rank,
                                         form.join_operands ? ", strip_columns(kHeadDim)" : "");
    bytes += fmt::format("{}{}::kBytes", i > 0 ? " + " : "", tile);
    texts.members += fmt::format("{} factors{};\n", tile, i);
    texts.load_queries += fmt::format("factors{0}.copy_from(p.factors{0}_q_map, arrived, start, head, batch);\n", i);
    texts.load_keys += fmt::format("factors{0}.copy_from(p.factors{0}_k_map, arrived, start, head, batch);\n", i);
    texts.multiply +=
        fmt::format("multiply_rows(scores, rows.factors{0}, columns.factors{0}, {1});\n", i, i > 0 ? "true" : "false");
  }
  const auto gradients = [&](const char* type, std::string FactorTerm::*side) {
    std::string members;
    std::string pin;
    std::string add;
    std::string write;
    for (std::size_t i = 0; i < factors_.size(); ++i) {
      if (!is_wanted(factors_[i].*side)) continue;
      members += fmt::format("FactorGradient<{}> factors{};\n", factors_[i].rank, i);
      pin += fmt::format("factors{}.pin_sums();\n", i);
      add += fmt::format("factors{0}.add(gradients, columns.factors{0});\n", i);
      write += fmt::format("factors{}.write({}, batch, head, start, end);\n", i, gradient_of(factors_[i].*side));
    }
    std::string other = fmt::format("__device__ __forceinline__ void pin_sums() {{\n{}}}\n", pin);
    if (side == &FactorTerm::k_input) other += add_with_keys(form);
    return gradients_text(type, members, other + "template <class Gradients>\n",
                          "const Gradients& gradients, const Factors& columns", add, write);
  };
  constexpr const char* kFetch = "(const Parameters& p, Barrier& arrived, int start, int head, int batch)";
  return fmt::format(
             "#include \"backward/bias.cuh\"\n#include \"backward/hopper/products.cuh\"\n{}{}\n"
             "// Low-rank terms of the bias: a tile a side, and products of them.\nstruct Factors {{\n"
             "static constexpr u32 kBytes = {};\n\n{}\n__device__ __forceinline__ void fetch_queries{} {{\n{}}}\n"
             "__device__ __forceinline__ void fetch_keys{} {{\n{}}}\n}};\n\n"
             "__device__ __forceinline__ void multiply_factors(Scores& scores, const Factors& rows, const Factors& "
             "columns) {{\n{}}}\n\n",
             wants_factors() ? include_line("backward/hopper/factor_gradient.cuh") : "",
             form.keys_add_to_queries
                 ? "#include \"backward/factor_sums.cuh\"\n#include \"backward/hopper/query_share.cuh\"\n"
                 : "",
             bytes.empty() ? "0" : bytes, texts.members, kFetch, texts.load_queries, kFetch, texts.load_keys,
             texts.multiply) +
         gradients("QueryFactorGradients", &FactorTerm::q_input) +
         gradients("KeyFactorGradients", &FactorTerm::k_input) +
         (form.keys_add_to_queries ? query_factor_shares(form) : "");
}

std::string BackwardBias::add_with_keys(const HopperFactors& form) const {
  return fmt::format(
      "// Together with the gradients of keys.\ntemplate <class Gradients>\n"
      "__device__ __forceinline__ void add(Accumulator<kHeadDim>& d_k, const Gradients& gradients, const "
      "SwizzledTile<kBlock, kHeadDim>& queries, const Factors& columns) {{\n{}}}\n",
      form.join_operands
          ? fmt::format("multiply_columns<kHeadDim, {}>(d_k, factors0.sums, gradients, queries);\n", factors_[0].rank)
          : "multiply_columns<kHeadDim>(d_k, gradients, queries);\nadd(gradients, columns);\n");
}

std::string BackwardBias::query_factor_shares(const HopperFactors& form) const {
  std::string members;
  std::string pin;
  std::string add = form.join_operands ? "" : "add_query_share<kHeadDim>(d_q, gradients, keys, accumulate);\n";
  std::string add_to_sums;
  for (std::size_t i = 0; i < factors_.size(); ++i) {
    const auto& [q_input, rank] = std::tie(factors_[i].q_input, factors_[i].rank);
    if (!is_wanted(q_input)) continue;
    members += fmt::format("QueryShare<{0}> factors{1};\n", rank, i);
    pin += fmt::format("pin(factors{});\n", i);
    add += form.join_operands
               ? fmt::format("add_query_share<kHeadDim, {}>(d_q, factors{}, gradients, keys, accumulate);\n", rank, i)
               : fmt::format("add_query_share<{0}>(factors{1}, gradients, of_keys.factors{1}, accumulate);\n", rank, i);
    add_to_sums +=
        fmt::format("QuerySums<{0}>::add(p.workspace + p.{1}_sums, first.factors{2} + tile, part, factors{2});\n", rank,
                    q_input, i);
  }
  return fmt::format(
      "// What some keys add to those of queries, and to the gradients of these.\nstruct QueryFactorShares {{\n{}\n"
      "__device__ __forceinline__ void pin_sums() {{\n{}}}\n"
      "__device__ __forceinline__ void add(QueryShare<kHeadDim>& d_q, const GradientTile& gradients, const "
      "SwizzledTile<kBlock, kHeadDim>& keys, const Factors& of_keys, bool accumulate) {{\n{}}}\n"
      "__device__ __forceinline__ void add_to_sums(const Parameters& p, const FirstFactorTiles& first, int tile, int "
      "part) const {{\n{}}}\n}};\n",
      members, pin, add, add_to_sums);
}

}  // namespace flashbias::codegen
