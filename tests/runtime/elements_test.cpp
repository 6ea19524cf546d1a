#include "runtime/elements.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "flashbias/reference.hpp"

using namespace flashbias;
using reference::round_to;

TEST_CASE("rounding goes to the nearest value, ties to even") {
  CHECK(round_to(DType::f16, 2049) == 2048);
  CHECK(round_to(DType::f16, 2051) == 2052);
  CHECK(round_to(DType::f16, 2049.0001) == 2050);
  CHECK(round_to(DType::f16, 65519.99) == 65504);
  CHECK(round_to(DType::f16, 65520) == HUGE_VAL);
  CHECK(round_to(DType::f16, -1e9) == -HUGE_VAL);
  CHECK(round_to(DType::f16, 0x1p-25) == 0);
  CHECK(round_to(DType::f16, 0x1.8p-24) == 0x1p-23);
  CHECK(round_to(DType::bf16, 257) == 256);
  CHECK(round_to(DType::bf16, 259) == 260);
  CHECK(round_to(DType::f32, 16777217) == 16777216);
  CHECK(round_to(DType::f32, 0.1) == static_cast<double>(0.1F));
  CHECK(round_to(DType::f32, 1e300) == HUGE_VAL);
  CHECK(round_to(DType::i32, -2.5) == -2);
  CHECK(round_to(DType::u8, 300) == 255);
  CHECK(std::isnan(round_to(DType::f16, std::nan(""))));
}

TEST_CASE("every 16-bit value survives reading and writing") {
  for (const DType dtype : {DType::f16, DType::bf16}) {
    std::uint16_t stored = 0;
    std::uint16_t copied = 0;
    const TensorView from = TensorView::contiguous(&stored, dtype, {1}, -1);
    const TensorView to = TensorView::contiguous(&copied, dtype, {1}, -1);
    int differing = 0;
    for (std::uint32_t bits = 0; bits <= 0xffff; ++bits) {
      stored = static_cast<std::uint16_t>(bits);
      const double value = reference::read_element(from, 0);
      reference::write_element(to, 0, value);
      const bool same = std::isnan(value) ? std::isnan(reference::read_element(to, 0)) : copied == stored;
      differing += same ? 0 : 1;
    }
    CHECK(differing == 0);
  }
}

TEST_CASE("16-bit values are read as what they mean") {
  const std::vector<std::uint16_t> f16{0x3c00, 0x0001, 0x03ff, 0x7bff, 0xfc00, 0x8000};
  std::vector<double> values(f16.size());
  runtime::read_elements(f16.data(), DType::f16, 0, values);
  CHECK(values == std::vector<double>{1, 0x1p-24, 0x1.ff8p-15, 65504, -HUGE_VAL, 0});
  CHECK(std::signbit(values.back()));
  const std::vector<std::uint16_t> bf16{0, 0x3f80, 0xc049};
  values.resize(2);
  runtime::read_elements(bf16.data(), DType::bf16, 1, values);
  CHECK(values == std::vector<double>{1, -3.140625});
}

TEST_CASE("integers are read and written as numbers") {
  std::vector<std::int32_t> integers(2);
  const TensorView view = TensorView::contiguous(integers.data(), DType::i32, {2}, -1);
  reference::write_element(view, 1, -7.4);
  CHECK(integers == std::vector<std::int32_t>{0, -7});
  CHECK(reference::read_element(view, 1) == -7);
}
