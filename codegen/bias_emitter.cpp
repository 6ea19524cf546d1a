#include "codegen/bias_emitter.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "codegen/cuda_expression.hpp"
#include "codegen/cuda_types.hpp"
#include "codegen/hopper_hooks_emitter.hpp"
#include "codegen/rewrite.hpp"
#include "codegen/shared_layout.hpp"
#include "codegen/terms_emitter.hpp"
#include "codegen/wgmma_emitter.hpp"

namespace flashbias::codegen {
namespace {

/// Builds the struct member by member; each method writes one hook of templates/bias_hooks.cuh, or nothing where the
/// bias does not need it.
class BiasEmitter {
 public:
  BiasEmitter(const KernelPlan& plan, const BiasProgram& program)
      : plan_(plan),
        program_(program),
        hoisted_(program.hoisted),
        tables_(shared_tables(program)),
        pair_inputs_(pair_inputs(plan.config, program)) {}

  std::string emit() {
    if (is_empty()) return "#include \"no_bias.cuh\"\n\nusing Bias = NoBias;\n";
    includes();
    head_terms();
    row_terms();
    key_terms();
    split_factors();
    diagonal_term();
    score_term();
    row_offset();
    bias();
    return text_;
  }

 private:
  [[nodiscard]] bool has_head_terms() const { return program_.has_kv_slope() || !hoisted_.head.empty(); }
  /// By the tensor cores.
  [[nodiscard]] bool multiplies_slope() const { return codegen::multiplies_slope(plan_); }
  /// With each score.
  [[nodiscard]] bool adds_slope() const { return program_.has_slope_alone() && !multiplies_slope(); }
  /// Scores are in units of the softmax scale; where there are factors, what is added to them is not.
  [[nodiscard]] const char* slope_of_scores() const {
    return has_hopper_factors() ? "head.kv_slope * score_unit()" : "head.kv_slope";
  }
  [[nodiscard]] bool has_row_terms() const { return !hoisted_.row.empty(); }
  [[nodiscard]] bool has_key_terms() const { return key_term_words(program_) > 0; }
  [[nodiscard]] bool has_factors() const { return program_.factor_steps() > 0; }
  [[nodiscard]] bool is_hopper() const { return plan_.main_loop == MainLoop::hopper; }
  /// Anything for each tile of keys.
  [[nodiscard]] bool publishes() const { return has_key_terms() || program_.has_diagonal() || program_.split_factors; }
  /// Instead of reading their rows where they are.
  [[nodiscard]] bool has_pair_tiles() const { return plan_.tile.pair_tiles; }
  [[nodiscard]] bool has_row_offset() const { return program_.needs_row_offset(plan_.config); }
  [[nodiscard]] bool is_empty() const { return !has_factors() && !program_.has_score_terms() && !has_row_offset(); }

  /// Those that are read where they are.
  [[nodiscard]] std::vector<InputSpec> pair_rows() const {
    return has_pair_tiles() ? std::vector<InputSpec>{} : pair_inputs_;
  }

  template <class... T>
  void line(fmt::format_string<T...> format, T&&... args) {
    text_ += fmt::format(format, std::forward<T>(args)...) + "\n";
  }

  void includes() {
    text_ += function_includes(plan_.config.bias);
    line("#include \"bias_hooks.cuh\"");
    for (const FactorTerm& factors : program_.factors) {
      const bool is_f32 = factors.dtype == DType::f32;
      const char* tiles = is_hopper() ? "hopper/factor_tiles" : is_f32 ? "factors_f32" : "factors";
      line("#include \"{}.cuh\"\n#include \"{}.cuh\"", tiles, is_f32 ? "bf16" : to_string(factors.dtype));
    }
    if (program_.split_factors)
      line("#include \"{}split_factors.cuh\"\n#include \"published_keys.cuh\"", is_hopper() ? "hopper/" : "");
    if (is_hopper() && may_scale_queries(plan_)) line("#include \"hopper/scale_rows.cuh\"");
    if (multiplies_slope()) line("#include \"hopper/slope_products.cuh\"");
    if (has_key_terms()) line("#include \"key_terms.cuh\"");
    if (program_.has_diagonal()) line("#include \"diagonals.cuh\"");
    if (!tables_.empty()) line("#include \"table.cuh\"");
    if (!pair_inputs_.empty()) line("#include \"{}.cuh\"", has_pair_tiles() ? "hopper/pair_tiles" : "pair_rows");
    line("");
  }

  void members(const std::vector<HoistedValue>& values) { text_ += members_of(values); }
  void assign(const std::string& target, const Expr& meaning, const CudaScope& scope) {
    text_ += assignment(target, meaning, scope);
  }
  /// The body of a function that fills `terms`.
  void assign_all(const std::vector<HoistedValue>& values, const CudaScope& scope) {
    text_ += assignments_of(values, scope);
  }

  void head_terms() {
    if (!has_head_terms()) return;
    line("// What the bias needs of a head.\nstruct HeadTerms {{");
    if (program_.has_kv_slope()) {
      line("  float kv_slope;  // {}", to_string(program_.kv_slope));
      line("  int kv_origin;   // positions count from here: the key of the largest bias that the block sees");
    }
    members(hoisted_.head);
    line("}};\n");
    line(
        "__device__ __forceinline__ HeadTerms head_terms(const Parameters& p, const Block& block) {{\nHeadTerms "
        "terms;");
    if (program_.has_kv_slope()) {
      assign("terms.kv_slope", program_.kv_slope, {});
      line("terms.kv_origin = terms.kv_slope > 0.0f ? block.kv_end - 1 : {};",
           program_.visible.first ? "block.kv_begin" : "0");
    }
    assign_all(hoisted_.head, {});
    line("return terms;\n}}\n");
  }

  [[nodiscard]] std::string head_parameter() const { return has_head_terms() ? ", const HeadTerms& head" : ""; }
  [[nodiscard]] std::string head_argument() const { return has_head_terms() ? ", head" : ""; }

  void row_terms() {
    if (!has_row_terms()) return;
    line("// What the bias needs of a query row.\nstruct RowTerms {{");
    members(hoisted_.row);
    line("}};\n");
    line("__device__ __forceinline__ RowTerms row_terms(const Parameters& p, const Block& block, int q_index) {{");
    line("RowTerms terms;");
    assign_all(hoisted_.row, {});
    line("return terms;\n}}\n");
  }

  void key_terms() {
    if (!has_key_terms()) return;
    line("// What the bias needs of a key.\nstruct KeyTerms {{");
    if (program_.has_key_column()) line("  float column;  // added to each of the key's scores");
    members(hoisted_.key);
    line("}};\n");
    line(
        "__device__ __forceinline__ KeyTerms key_terms(const Parameters& p, const Block& block{}, int kv_index) {{\n"
        "KeyTerms terms;",
        head_parameter());
    if (program_.has_key_column()) key_column();
    assign_all(hoisted_.key, {});
    line("return terms;\n}}\n");
  }

  void split_factors() {
    if (!program_.split_factors) return;
    std::vector<Expr> query_factors;
    for (const Separation::Factor& factor : program_.split_factors->factors) query_factors.push_back(factor.query);
    line("// The factors of a query row ...");
    factors_of("query_factors", "", query_factors, "q_index");
    line("// ... and of a key: the bias is the sum of their products.");
    factors_of("key_factors", head_parameter(), hoisted_.key_factors, "kv_index");
  }

  void factors_of(const std::string& function, const std::string& head, const std::vector<Expr>& factors,
                  const std::string& index) {
    line(
        "__device__ __forceinline__ void {}(float (&factors)[{}], const Parameters& p, const Block& block{}, int {}) "
        "{{",
        function, factors.size(), head, index);
    for (std::size_t r = 0; r < factors.size(); ++r) assign(fmt::format("factors[{}]", r), factors[r], {});
    line("}}\n");
  }

  void key_column() {
    assign("terms.column", hoisted_.key_column, {});
    if (program_.has_kv_slope()) line("terms.column += head.kv_slope * static_cast<float>(kv_index - head.kv_origin);");
  }

  void diagonal_term() {
    if (!program_.has_diagonal()) return;
    const CudaExpression code = to_cuda(hoisted_.diagonal, {.q_index = "0", .kv_index = "difference"});
    line("// The bias where kv_index - q_index == difference.");
    line("__device__ __forceinline__ float diagonal_term(const Parameters& p, const Block& block{}, int difference) {{",
         head_parameter());
    line("{}return {};\n}}\n", code.statements, code.value);
  }

  void row_offset() {
    if (!has_row_offset()) return;
    const CudaExpression code = to_cuda(program_.row_offset, {});
    const bool needs_origin = any_node(program_.row_offset, [](const ExprNode& node) { return node.op == Op::named; });
    line("// What the softmax ignores: the terms of the query alone.");
    line("__device__ __forceinline__ float row_offset_term(const Parameters& p, const Block& block, int q_index{}) {{",
         needs_origin ? ", int kv_origin" : "");
    line("{}return {};\n}}\n", code.statements, code.value);
    row_offset_arguments_ = needs_origin ? ", head.kv_origin" : "";
  }

  /// An expression of the score's own, beyond one value of the key or the diagonal.
  void score_term() {
    if (!program_.has_score()) return;
    const CudaExpression code = to_cuda(hoisted_.score, {.tables_in_shared_memory = true});
    score_ = code.value;
    score_statements_ = code.statements;
  }

  [[nodiscard]] std::string factor_tiles(const FactorTerm& factors) const {
    if (is_hopper()) return fmt::format("FactorTiles<{}>", factors.rank);
    if (factors.dtype == DType::f32) return fmt::format("F32FactorTiles<{}>", factors.rank);
    return fmt::format("FactorTiles<{}, {}>", factors.dtype == DType::f16 ? "F16" : "Bf16", factors.rank);
  }

  void storage() {
    line("struct Storage {{");
    for (std::size_t i = 0; i < program_.factors.size(); ++i)
      line("{} factors{};", factor_tiles(program_.factors[i]), i);
    if (program_.split_factors)
      line("SplitFactors<{}, {}> split_factors;", program_.split_factors->rank(), program_.split_factors->parts);
    if (multiplies_slope()) line("SlopeProducts slope;");
    if (has_pair_tiles())
      for (const InputSpec& input : pair_inputs_) line("{} {}_tiles;", pair_tiles_type(input), input.name);
    if (has_key_terms()) line("KeyTermColumns<KeyTerms> key_terms;");
    if (program_.has_diagonal()) line("Diagonals diagonals;");
    for (const SharedTable& table : tables_) line("SharedTable<{}> {}_table;", table.entries, table.name);
    line("}};\n");
  }

  void bias() {
    line("struct Bias : BiasHooks {{");
    storage();
    if (publishes()) line("static constexpr bool kPublishes = true;");
    if (loads_queries()) line("static constexpr bool kLoadsQueries = true;");
    if (is_hopper()) text_ += emit_hopper_constants(plan_);
    line("const Parameters& p;\nconst Block& block;\nStorage& storage;");
    if (has_head_terms()) line("HeadTerms head;");
    if (has_row_terms()) line("RowTerms rows[kRowSlots];");
    for (const InputSpec& input : pair_rows())
      line("PairRows<{}> {}_rows;", cuda_element_type(input.dtype), input.name);
    if (has_key_terms()) line("KeyTerms next_keys[kKeysPerPublisher];");
    if (program_.split_factors) line("float next_key_factors[kKeysPerPublisher][{}];", program_.split_factors->rank());
    if (program_.has_diagonal()) line("float next_diagonals[Diagonals::kPerThread];");
    line("");
    constructor();
    load_queries();
    if (is_hopper()) {
      text_ += emit_hopper_hooks(plan_);
    } else {
      load_keys();
      accumulate();
    }
    fetch_and_publish();
    add();
    lane_shift();
    if (!program_.factors.empty() && !is_hopper())
      line("__device__ float multiplier(const Parameters&) const {{ return kLog2E; }}");
    if (has_row_offset())
      line(
          "__device__ float row_offset(int slot) const {{\n"
          "return row_offset_term(p, block, min(block.q_start + row_of_slot(slot), p.q_length - 1){});\n}}",
          row_offset_arguments_);
    line("}};");
  }

  void constructor() {
    line("__device__ Bias(const Parameters& parameters, const Block& work, Storage& shared)");
    line(": p(parameters), block(work), storage(shared)");
    for (const InputSpec& input : pair_rows()) line(", {0}_rows(parameters.{0}_input, parameters, work)", input.name);
    line("{{");
    if (has_head_terms()) line("head = head_terms(p, block);");
    if (has_row_terms())
      line(
          "#pragma unroll\nfor (int slot = 0; slot < kRowSlots; ++slot)\n"
          "rows[slot] = row_terms(p, block, min(block.q_start + row_of_slot(slot), p.q_length - 1));");
    line("}}\n");
  }

  [[nodiscard]] bool has_hopper_factors() const { return is_hopper() && !program_.factors.empty(); }
  [[nodiscard]] bool loads_queries() const {
    return !tables_.empty() || program_.split_factors || (has_factors() && !is_hopper()) || multiplies_slope();
  }

  void load_queries() {
    if (!loads_queries()) return;
    line("__device__ __forceinline__ void load_queries() {{");
    if (program_.split_factors)
      line(
          "for (int row = static_cast<int>(threadIdx.x); row < kBlockQ; row += kThreads) {{\n"
          "float factors[{}];\n"
          "query_factors(factors, p, block, min(block.q_start + row, p.q_length - 1));\n"
          "storage.split_factors.store_query(row, factors);\n}}",
          program_.split_factors->rank());
    for (std::size_t i = 0; i < program_.factors.size() && !is_hopper(); ++i)
      line(
          "storage.factors{0}.load_queries(p.{1}_input.row(block.batch, block.head, block.q_start), "
          "p.{1}_input.row_stride, block.q_end - block.q_start);",
          i, program_.factors[i].q_input);
    if (multiplies_slope()) line("storage.slope.store({});", slope_of_scores());
    for (const SharedTable& table : tables_)
      line("storage.{0}_table.load(p.{0}_input.row(block.batch, block.head, 0));", table.name);
    line("}}\n");
  }

  void load_keys() {
    if (program_.factors.empty()) return;
    line("__device__ __forceinline__ void load_keys(int kv_start) {{");
    for (std::size_t i = 0; i < program_.factors.size(); ++i)
      line(
          "storage.factors{0}.load_keys(p.{1}_input.row(block.batch, block.head, kv_start), "
          "p.{1}_input.row_stride, p.kv_length - kv_start);",
          i, program_.factors[i].k_input);
    line("}}\n");
  }

  void fetch_and_publish() {
    if (!publishes()) return;
    line("__device__ __forceinline__ void fetch(int kv_start) {{");
    if (has_key_terms() || program_.split_factors) {
      line("#pragma unroll\nfor (int i = 0; i < kKeysPerPublisher; ++i) {{");
      line("const int kv_index = min(kv_start + published_key(i) % kBlockK, p.kv_length - 1);");
      if (has_key_terms()) line("next_keys[i] = key_terms(p, block{}, kv_index);", head_argument());
      if (program_.split_factors) line("key_factors(next_key_factors[i], p, block{}, kv_index);", head_argument());
      line("}}");
    }
    if (program_.has_diagonal())
      line(
          "#pragma unroll\nfor (int i = 0; i < Diagonals::kPerThread; ++i)\n"
          "next_diagonals[i] = diagonal_term(p, block{}, Diagonals::difference(kv_start, block.q_start, i));",
          head_argument());
    line("}}\n");
    line("__device__ __forceinline__ void publish(int stage) {{");
    if (has_key_terms()) line("storage.key_terms.store(stage, next_keys);");
    if (program_.split_factors)
      line(
          "#pragma unroll\nfor (int i = 0; i < kKeysPerPublisher; ++i)\n"
          "if (published_key(i) < kBlockK) storage.split_factors.store_key(stage, published_key(i), "
          "next_key_factors[i]);");
    if (program_.has_diagonal()) line("storage.diagonals.store(stage, next_diagonals);");
    line("}}\n");
  }

  void accumulate() {
    if (!has_factors()) return;
    line("__device__ __forceinline__ void accumulate(Scores& scores) const {{");
    if (!program_.factors.empty()) line("scale_scores(scores, p.softmax_scale);");
    if (program_.split_factors) line("storage.split_factors.accumulate(scores);");
    for (std::size_t i = 0; i < program_.factors.size(); ++i) line("storage.factors{}.accumulate(scores);", i);
    line("}}\n");
  }

  [[nodiscard]] bool needs_columns() const {
    return has_key_terms() || program_.has_diagonal() || program_.has_score();
  }
  void add() {
    if (!program_.has_score_terms() || (multiplies_slope() && !needs_columns())) return;
    line("__device__ __forceinline__ void add(Scores& scores, int kv_start, int stage) const {{");
    copy_unfetched_pairs();
    if (adds_slope()) line("const float slope = {};", slope_of_scores());
    line("#pragma unroll\nfor (int n = 0; n < kScoreTiles; ++n) {{");
    if (needs_columns()) line("const int column = column_of_tile(n);");
    if (has_key_terms()) line("KeyTerms keys[2];\nstorage.key_terms.load_pair(keys, stage, column);");
    line("#pragma unroll\nfor (int slot = 0; slot < kRowSlots; ++slot) {{");
    if (has_row_terms()) line("const RowTerms& row = rows[slot];");
    for (const InputSpec& input : pair_inputs_) {
      const std::string_view type = cuda_element_type(input.dtype);
      if (has_pair_tiles())
        line("PairTiles<{1}>::Value {0}_pair[2];\nstorage.{0}_tiles.read({0}_pair, stage, slot, n);", input.name, type);
      else
        line("PairRows<{1}>::Value {0}_pair[2];\n{0}_rows.read({0}_pair, slot, kv_start + column);", input.name, type);
    }
    line("#pragma unroll\nfor (int c = 0; c < 2; ++c) {{");
    if (!hoisted_.key.empty()) line("const KeyTerms& key = keys[c];");
    text_ += score_statements_;
    line("float& score = scores[slot / 2][n][slot % 2 * 2 + c];");
    if (adds_slope()) line("score = __fmaf_rn(slope, static_cast<float>(n * 8 + c), score);");
    if (const std::string sum = sum_of_score_terms(); !sum.empty()) line("score += {};", sum);
    line("}}\n}}\n}}\n}}\n");
  }

  void copy_unfetched_pairs() {
    if (!has_pair_tiles()) return;
    line("if (!fetches_pairs()) {{");
    for (const InputSpec& input : pair_inputs_)
      line("storage.{0}_tiles.copy_rows(stage, p.{0}_input, p, block, kv_start);", input.name);
    line("}}");
  }

  /// A lane's keys of a tile are its first one and others at places that the compiler knows: the first one's part of
  /// the bias is left to the exponents' shift.
  void lane_shift() {
    if (!program_.has_slope_alone()) return;
    line(
        "__device__ __forceinline__ float lane_shift(float shift, int kv_start, float multiplier) const {{\n"
        "const float first_key = static_cast<float>(kv_start{} - head.kv_origin);\n"
        "return __fmaf_rn({} * first_key, multiplier, shift);\n}}\n",
        multiplies_slope() ? "" : " + column_of_tile(0)", slope_of_scores());
    if (multiplies_slope())
      line("static __device__ __forceinline__ void prepare(Storage& storage) {{ storage.slope.fill_places(); }}\n");
  }

  [[nodiscard]] std::string sum_of_score_terms() const {
    std::vector<std::string> terms;
    if (!score_.empty()) terms.push_back(score_);
    if (program_.has_key_column()) terms.emplace_back("keys[c].column");
    if (program_.has_diagonal()) terms.emplace_back("storage.diagonals.at(stage, row_of_slot(slot), column + c)");
    if (has_hopper_factors() && !terms.empty()) return fmt::format("({}) * score_unit()", fmt::join(terms, " + "));
    return fmt::format("{}", fmt::join(terms, " + "));
  }

  const KernelPlan& plan_;
  const BiasProgram& program_;
  const HoistedScore& hoisted_;
  std::vector<SharedTable> tables_;
  std::vector<InputSpec> pair_inputs_;
  std::string score_;
  std::string score_statements_;
  std::string row_offset_arguments_;
  std::string text_;
};

}  // namespace

std::string emit_bias(const KernelPlan& plan, const BiasProgram& program) { return BiasEmitter(plan, program).emit(); }

}  // namespace flashbias::codegen
