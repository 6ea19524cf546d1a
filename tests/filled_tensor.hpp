#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "flashbias/reference.hpp"
#include "flashbias/tensor.hpp"

namespace flashbias::testing {

/// A contiguous tensor in host memory, filled with numbers.
class FilledTensor {
 public:
  FilledTensor(DType dtype, std::initializer_list<std::int64_t> shape, const std::vector<double>& numbers)
      : storage_(numbers.size() * sizeof(std::uint64_t)),
        view_(TensorView::contiguous(storage_.data(), dtype, shape, -1)) {
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      reference::write_element(view_, static_cast<std::int64_t>(i), numbers[i]);
    }
  }
  FilledTensor(const FilledTensor&) = delete;
  FilledTensor& operator=(const FilledTensor&) = delete;
  FilledTensor(FilledTensor&&) = default;
  FilledTensor& operator=(FilledTensor&&) = default;
  ~FilledTensor() = default;

  operator const TensorView&() const { return view_; }  // NOLINT(google-explicit-constructor)
  [[nodiscard]] TensorView& view() { return view_; }

 private:
  std::vector<std::byte> storage_;
  TensorView view_;
};

}  // namespace flashbias::testing
