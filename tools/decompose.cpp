#include "flashbias/decompose.hpp"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <string>

#include "codegen/excerpt.hpp"
#include "codegen/inputs.hpp"
#include "flashbias/error.hpp"
#include "tools/decomposition_picture.hpp"
#include "tools/flag_checks.hpp"
#include "tools/input_files.hpp"
#include "tools/npy.hpp"
#include "tools/output.hpp"
#include "tools/verbs.hpp"
#include "tools/window_sides.hpp"

namespace flashbias::tools {
namespace {

struct DecomposeOptions {
  std::string file;
  std::string window;
  std::string bias;
  std::vector<std::string> inputs;
  std::int64_t seqlen_q = 0;
  std::int64_t seqlen_k = 0;
  std::optional<int> rank;
  std::optional<double> energy;
  std::optional<double> tolerance;
  std::string dtype = "f16";
  bool keep_row_means = false;
  std::string output;
  std::string picture;
  bool json = false;
};

[[noreturn]] void reject_request(const std::string& message) { throw Error(ErrorCode::invalid_argument, message); }

/// What is decomposed: an expression and the numbers that it gives.
struct Subject {
  Expr expr;
  std::string title;
  BiasMatrices matrices;
};

Subject matrix_in_file(const DecomposeOptions& options) {
  return {.expr = bias::dense(), .title = options.file, .matrices = bias_matrices(read_npy(options.file).view())};
}

/// The bias of `--window` and its tokens.
std::pair<Expr, std::int64_t> window_bias(const std::string& text) {
  const auto sides = parse_sides(text);
  const auto tokens = std::accumulate(sides.begin(), sides.end(), std::int64_t{1}, std::multiplies<>());
  if (sides.size() == 2) return {bias::window_relative_position(sides[0], sides[1]), tokens};
  if (sides.size() == 3) return {bias::earth_relative_position(sides[0], sides[1], sides[2]), tokens};
  reject_request(
      fmt::format("--window {}: it is height x width, such as 24x24, or levels x latitudes x longitudes, such as "
                  "2x6x12",
                  text));
}

NamedTensors inputs_of(const DecomposeOptions& options, const std::vector<InputSpec>& specs) {
  NamedTensors inputs = read_inputs(options.inputs);
  if (!options.file.empty()) inputs.emplace(specs.front().name, read_npy(options.file));
  for (const auto& [name, tensor] : inputs)
    if (std::ranges::find(specs, name, &InputSpec::name) == specs.end())
      reject_request(fmt::format("--input: the bias reads no {}", name));
  for (const InputSpec& spec : specs) {
    const auto input = inputs.find(spec.name);
    if (input == inputs.end())
      reject_request(fmt::format("the bias reads {}; give it by --input {}=FILE.npy", spec.name, spec.name));
    input->second = convert(input->second, spec.dtype);
  }
  return inputs;
}

Subject tabulated(const DecomposeOptions& options) {
  auto [expr, q_length] =
      options.window.empty() ? std::pair{parse_expr(options.bias), options.seqlen_q} : window_bias(options.window);
  if (q_length == 0)
    reject_request("--bias needs --seqlen-q, the number of queries to tabulate (and of keys, but for --seqlen-k)");
  const std::int64_t kv_length = options.seqlen_k == 0 ? q_length : options.seqlen_k;
  const NamedTensors tensors = inputs_of(options, codegen::collect_inputs(expr, DType::f32));
  reference::Inputs inputs;
  for (const auto& [name, tensor] : tensors) inputs.emplace(name, tensor.view());
  BiasMatrices matrices = tabulate(expr, inputs, q_length, kv_length);
  return {.expr = expr, .title = codegen::excerpt(to_string(expr)), .matrices = std::move(matrices)};
}

Subject subject_of(const DecomposeOptions& options) {
  if (!options.file.empty() && (!options.bias.empty() || !options.inputs.empty())) {
    reject_request(fmt::format(
        "{}: a file alone is a matrix, and with --window a table; give what --bias reads by --input", options.file));
  }
  if (!options.window.empty() && !options.bias.empty())
    reject_request("--window and --bias describe a bias twice; give one");
  if (!options.window.empty() && options.seqlen_q + options.seqlen_k != 0)
    reject_request("--window says how many tokens there are; leave --seqlen-q and --seqlen-k out");
  const bool is_expression = !options.window.empty() || !options.bias.empty();
  if (!is_expression && options.file.empty()) reject_request("nothing to decompose; give a FILE.npy, or --bias");
  Subject subject = is_expression ? tabulated(options) : matrix_in_file(options);
  if (!options.keep_row_means) subject.matrices = without_row_means(std::move(subject.matrices));
  return subject;
}

RankChoice rank_choice(const DecomposeOptions& options) {
  const std::array given{options.rank.has_value(), options.energy.has_value(), options.tolerance.has_value()};
  if (std::ranges::count(given, true) != 1)
    reject_request("choose the rank by one of --rank, --energy and --tolerance, such as --energy 0.995");
  if (options.rank) return Rank{*options.rank};
  if (options.energy) return Energy{*options.energy};
  return Tolerance{*options.tolerance};
}

NamedTensors factor_tensors(const Subject& subject, const Decomposition& found) {
  const auto tensor = [&](std::int64_t length, const std::vector<std::byte>& data) {
    HostTensor result(found.dtype, {1, length, found.heads, found.rank});
    result.data = data;
    return result;
  };
  const auto [q, k] = bias::factor_names(subject.expr);
  return {{q, tensor(found.q_length, found.q_data)}, {k, tensor(found.kv_length, found.k_data)}};
}

/// The bias that the factors serve, or nothing where they have more columns than an input.
std::optional<std::string> approximation(const Subject& subject, const Decomposition& found) {
  if (found.rank > kMaxDims) return std::nullopt;
  const auto dtype = found.dtype == DType::f32 ? std::optional(DType::f32) : std::nullopt;
  return to_string(bias::approximate(subject.expr, found.rank, dtype));
}

void print(const DecomposeOptions& options, const Subject& subject, const Decomposition& found) {
  fmt::print("matrix  {}, heads {}, {} x {}, {}\n", subject.title, found.heads, found.q_length, found.kv_length,
             options.keep_row_means ? "row means kept" : "without row means, which the softmax ignores");
  fmt::print("rank    {} of {}, factors in {}\n\n", found.rank, std::min(found.q_length, found.kv_length),
             to_string(found.dtype));
  const auto dtype = to_string(found.dtype);
  Table table({"head", "energy kept", "relative error", "largest error", fmt::format("relative in {}", dtype),
               fmt::format("largest in {}", dtype)});
  const auto row = [&](std::string name, double energy, const FactorError& unrounded, const FactorError& rounded) {
    table.add({std::move(name), fmt::format("{:.4f} %", 100 * energy),
               fmt::format("{:.3g}", unrounded.relative_frobenius), fmt::format("{:.3g}", unrounded.max_abs),
               fmt::format("{:.3g}", rounded.relative_frobenius), fmt::format("{:.3g}", rounded.max_abs)});
  };
  for (std::size_t head = 0; head < found.by_head.size(); ++head) {
    const HeadDecomposition& of_head = found.by_head[head];
    row(std::to_string(head), of_head.energy, of_head.unrounded, of_head.rounded);
  }
  row("worst", found.energy(), found.unrounded(), found.rounded());
  fmt::print("{}\n", table.text());
  const auto bias = approximation(subject, found);
  fmt::print("bias    {}\n", bias ? *bias : fmt::format("none: inputs have at most {} numbers a token", kMaxDims));
  if (options.output.empty()) return;
  for (const auto& [name, tensor] : factor_tensors(subject, found))
    fmt::print("saved   {} {}{} in {}\n", name, to_string(tensor),
               found.dtype == DType::bf16 ? " (as float32, since NumPy has no bf16)" : "", options.output);
}

nlohmann::ordered_json json_of(const FactorError& error) {
  return {{"relative_frobenius", error.relative_frobenius}, {"max_abs", error.max_abs}};
}

void print_as_json(const DecomposeOptions& options, const Subject& subject, const Decomposition& found) {
  nlohmann::ordered_json json{{"expression", to_string(subject.expr)},
                              {"bias", nullptr},
                              {"heads", found.heads},
                              {"q_length", found.q_length},
                              {"kv_length", found.kv_length},
                              {"row_means", options.keep_row_means ? "kept" : "removed"},
                              {"rank", found.rank},
                              {"dtype", to_string(found.dtype)},
                              {"energy", found.energy()},
                              {"unrounded", json_of(found.unrounded())},
                              {"rounded", json_of(found.rounded())}};
  if (const auto bias = approximation(subject, found)) json["bias"] = *bias;
  for (const HeadDecomposition& head : found.by_head) {
    json["by_head"].push_back({{"energy", head.energy},
                               {"unrounded", json_of(head.unrounded)},
                               {"rounded", json_of(head.rounded)},
                               {"singular_values", head.singular_values}});
  }
  print_json(json);
}

void decompose_bias(const DecomposeOptions& options) {
  const RankChoice choice = rank_choice(options);
  const DType dtype = parse_dtype(options.dtype);
  if (!options.picture.empty()) require_picture_name(options.picture);
  const Subject subject = subject_of(options);
  const Decomposition found = decompose(subject.matrices, choice, dtype);
  if (!options.output.empty()) write_npz(options.output, factor_tensors(subject, found));
  if (!options.picture.empty()) {
    draw_decomposition(subject.matrices, found, subject.title + (options.keep_row_means ? "" : ", without row means"),
                       options.picture);
  }
  options.json ? print_as_json(options, subject, found) : print(options, subject, found);
}

}  // namespace

void add_decompose(CLI::App& app) {
  auto* verb = app.add_subcommand("decompose", "Find factors of low rank that approximate a bias, and their error");
  auto options = std::make_shared<DecomposeOptions>();
  constexpr const char* kBias = "Bias";
  verb->add_option("file", options->file,
                   "a matrix [Nq, Nk] or [heads, Nq, Nk]; with --window its table [heads, entries]")
      ->type_name("FILE.npy");
  verb->add_option("--window", options->window,
                   "the file is a relative position table: height x width (24x24), or levels x latitudes x longitudes "
                   "(2x6x12)")
      ->group(kBias);
  verb->add_option("--bias", options->bias, "an expression of the bias language to tabulate")->group(kBias);
  verb->add_option("--input", options->inputs, "what the expression reads; may be repeated")
      ->type_name(kInputFileType)
      ->group(kBias);
  verb->add_option("--seqlen-q", options->seqlen_q, "queries to tabulate --bias at")
      ->check(whole_number(1))
      ->group(kBias);
  verb->add_option("--seqlen-k", options->seqlen_k, "keys likewise; --seqlen-q by default")
      ->check(whole_number(1))
      ->group(kBias);
  verb->add_flag("--keep-row-means", options->keep_row_means,
                 "approximate the mean of each row, too: the softmax ignores it, a log-sum-exp does not")
      ->group(kBias);
  constexpr const char* kRank = "Rank (one of these)";
  verb->add_option("--rank", options->rank, "columns of the factors")->check(whole_int())->group(kRank);
  verb->add_option("--energy", options->energy, "the fewest that keep this part of each head's squared singular values")
      ->group(kRank);
  verb->add_option("--tolerance", options->tolerance,
                   "the fewest with which no score is off by more, rounding included")
      ->group(kRank);
  verb->add_option("--dtype", options->dtype, "of the factors: f16, bf16 or f32")->capture_default_str();
  verb->add_option("-o,--output", options->output, "file for the factors")->type_name("FILE.npz")->check(not_empty());
  verb->add_option("--picture", options->picture, "draw spectrum, bias, approximation and difference; needs matplotlib")
      ->type_name("FILE.png|FILE.svg");
  verb->add_flag("--json", options->json, "for programs, with the spectrum");
  verb->callback([options] { decompose_bias(*options); });
}

}  // namespace flashbias::tools
