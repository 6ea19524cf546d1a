// SwinV2's relative position bias (Liu et al. 2022) as factors: how much of it a low rank keeps, as FlashBias does for
// SwinV2-B, and what that changes in the output. The table is synthetic: it comes from the model's formula,
// 16 sigmoid(MLP(log-spaced offsets)), with random weights instead of trained ones.
#include "common.hpp"

using namespace flashbias;

namespace {

constexpr int kWindow = 24;            // SwinV2-B at 384 x 384 ...
constexpr int kPretrainedWindow = 12;  // ... whose offsets are in units of the window it was pretrained with
constexpr int kHidden = 512;
constexpr int kHeadDim = 32;
constexpr int kTokens = kWindow * kWindow;
constexpr std::int64_t kSide = 2 * kWindow - 1;
constexpr example::Sizes kSizes{.batch = 16, .heads = 4, .seqlen = kTokens};

/// sign(x) log2(1 + |x|) / log2(8), x = 8 for the longest offset of the pretrained window.
double log_spaced(std::int64_t offset) {
  const double x = 8.0 * static_cast<double>(offset) / (kPretrainedWindow - 1);
  return std::copysign(std::log2(1 + std::abs(x)) / 3, x);
}

std::vector<double> uniform(std::mt19937& random, int count, double bound) {
  std::uniform_real_distribution<double> distribution(-bound, bound);
  std::vector<double> numbers(static_cast<std::size_t>(count));
  for (double& number : numbers) number = distribution(random);
  return numbers;
}

/// f32 [heads, kSide * kSide]. The output weights are large enough for the biases to spread over most of (0, 16).
example::HostTensor synthetic_table(int seed) {
  std::mt19937 random(static_cast<unsigned>(seed));
  const std::vector<double> in = uniform(random, 3 * kHidden, 1 / std::sqrt(2.0));  // two weights and a bias each
  const std::vector<double> out = uniform(random, static_cast<int>(kSizes.heads) * kHidden, 0.2);
  std::int64_t next = 0;
  return example::tensor(DType::f32, {kSizes.heads, kSide * kSide}, [&] {
    const auto head = static_cast<std::size_t>(next / (kSide * kSide));
    const std::int64_t entry = next++ % (kSide * kSide);
    const double row = log_spaced(entry / kSide - kWindow + 1);
    const double column = log_spaced(entry % kSide - kWindow + 1);
    double sum = 0;
    for (std::size_t i = 0; i < kHidden; ++i)
      sum += out[head * kHidden + i] * std::max(0.0, in[3 * i] * row + in[3 * i + 1] * column + in[3 * i + 2]);
    return 16 / (1 + std::exp(-sum));
  });
}

/// Queries, keys and values of one window, on which the table and its approximations are compared.
struct Comparison {
  AttentionConfig exact;
  example::HostTensor table = synthetic_table(0);
  example::HostTensor q = draw();
  example::HostTensor k = draw();
  example::HostTensor v = draw();

  Comparison() {
    exact.head_dim = kHeadDim;
    exact.bias = bias::window_relative_position(kWindow, kWindow);
  }

  static example::HostTensor draw() { return example::normal(DType::f16, {1, kTokens, kSizes.heads, kHeadDim}); }

  [[nodiscard]] AttentionConfig approximated(const Decomposition& found) const {
    AttentionConfig config = exact;
    config.bias = bias::approximate(exact.bias, found.rank);
    return config;
  }

  /// Some rows of the output, in float64.
  [[nodiscard]] std::vector<reference::Row> rows(const AttentionConfig& config, const reference::Inputs& inputs) const {
    std::vector<reference::Row> rows;
    for (std::int64_t i = 0; i < kTokens; i += 5)
      rows.push_back({.batch = 0, .head = i % kSizes.heads, .q_index = i, .out = {}, .log_sum_exp = 0});
    reference::attention(config, q.view, k.view, v.view, inputs, 1 / std::sqrt(kHeadDim), rows);
    return rows;
  }

  void print(const char* what, const Decomposition& found) const {
    const auto names = bias::factor_names(exact.bias);
    std::vector<double> out;
    for (const auto& row : rows(approximated(found), {{names.q, found.q_factors()}, {names.k, found.k_factors()}}))
      out.insert(out.end(), row.out.begin(), row.out.end());
    const double output_error =
        reference::compare(rows(exact, {{"relative_bias", table.view}}), out, exact.dtype).error;
    std::cout << what << ", rank " << found.rank << ": " << 100 * found.energy()
              << " % of the energy; error of a score up to " << found.rounded().max_abs << ", of the output "
              << 100 * output_error << " %\n";
  }
};

int run() {
  const Comparison comparison;
  const Expr& window = comparison.exact.bias;
  const BiasMatrices whole = tabulate(window, {{"relative_bias", comparison.table.view}}, kTokens, kTokens);
  const BiasMatrices seen = without_row_means(whole);

  std::cout << "a synthetic SwinV2-B table (random weights): 4 heads of 576 x 576, factors in f16, the worst head's "
               "figures\n";
  comparison.print("the whole bias", decompose(whole, Energy{0.995}));
  comparison.print("the whole bias", decompose(whole, Rank{16}));
  comparison.print("what the softmax sees of it", decompose(seen, Rank{16}));
  const Decomposition found = decompose(seen, Energy{0.995});
  comparison.print("what the softmax sees of it", found);

  std::cout << "\nthe table, exactly\n";
  const int failed = example::demonstrate(comparison.exact, kSizes, [&] {
    return example::Inputs{{"relative_bias", comparison.table}};
  });
  std::cout << "\nits approximation\n";
  return failed + example::demonstrate(comparison.approximated(found), kSizes, [&] {
           const auto names = bias::factor_names(window);
           return example::Inputs{{names.q, example::copy(found.q_factors())},
                                  {names.k, example::copy(found.k_factors())}};
         });
}

}  // namespace

int main() {
  try {
    return run();
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
