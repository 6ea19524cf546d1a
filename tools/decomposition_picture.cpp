#include "tools/decomposition_picture.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "flashbias/error.hpp"
#include "tools/draw_decomposition.hpp"
#include "tools/npz.hpp"
#include "tools/python_script.hpp"

namespace flashbias::tools {
namespace {

/// A directory of its own, removed with all that is in it.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "flashbias.XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr)
      throw Error(ErrorCode::io, fmt::format("{}: cannot be made: {}", pattern, std::strerror(errno)));
    path_ = pattern;
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

HostTensor matrix_of(const BiasMatrices& matrices, std::int64_t head) {
  HostTensor tensor(DType::f32, {matrices.q_length, matrices.kv_length});
  const double* values = matrices.values.data() + head * tensor.elements();
  for (std::int64_t i = 0; i < tensor.elements(); ++i) reference::write_element(tensor.view(), i, values[i]);
  return tensor;
}

HostTensor spectra(const Decomposition& decomposition) {
  const auto count = static_cast<std::int64_t>(decomposition.by_head.front().singular_values.size());
  HostTensor tensor(DType::f32, {decomposition.heads, count});
  std::int64_t next = 0;
  for (const HeadDecomposition& head : decomposition.by_head)
    for (const double value : head.singular_values) reference::write_element(tensor.view(), next++, value);
  return tensor;
}

std::int64_t worst_head(const Decomposition& decomposition) {
  const auto worst = std::ranges::max_element(
      decomposition.by_head, {}, [](const HeadDecomposition& head) { return head.rounded.relative_frobenius; });
  return worst - decomposition.by_head.begin();
}

}  // namespace

void require_picture_name(const std::filesystem::path& picture) {
  if (picture.extension() == ".png" || picture.extension() == ".svg") return;
  throw Error(ErrorCode::invalid_argument,
              fmt::format("--picture {}: its name must end in .png or .svg", picture.string()));
}

void draw_decomposition(const BiasMatrices& bias, const Decomposition& decomposition, const std::string& title,
                        const std::filesystem::path& picture) {
  const std::int64_t head = worst_head(decomposition);
  const FactorError error = decomposition.by_head[static_cast<std::size_t>(head)].rounded;
  const std::string measured = fmt::format(
      "rank {} in {} keeps at least {:.4f} % of the energy; head {}, the worst: relative error {:.3g}, no "
      "score off by more than {:.3g}",
      decomposition.rank, to_string(decomposition.dtype), 100 * decomposition.energy(), head, error.relative_frobenius,
      error.max_abs);
  const ScratchDirectory scratch;
  const auto data = scratch.path() / "decomposition.npz";
  write_npz(data, {{"bias", matrix_of(bias, head)},
                   {"approximation", matrix_of(product_of_factors(decomposition), head)},
                   {"singular_values", spectra(decomposition)}});
  run_python(kDrawDecomposition, "matplotlib, numpy",
             {data.string(), picture.string(), title + '\n' + measured, std::to_string(head),
              std::to_string(decomposition.rank)});
}

}  // namespace flashbias::tools
