#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tests/emulator/half.hpp"
#include "tests/emulator/module.hpp"
#include "tests/emulator/thread_block.hpp"

namespace flashbias::emulator {
namespace {

constexpr std::size_t kSharedBytes = 1024;

/// A kernel with the address of its output in %out and four bytes of it for each thread at %mine.
std::string kernel_of(const std::string& body) {
  return R"(.version 9.0
.target sm_90a
.address_size 64
.extern .shared .align 16 .b8 shared[];
.visible .entry kernel(.param .u64 kernel_param_0)
{
.reg .b64 %out, %mine, %offset;
.reg .b32 %thread, %result, %at;
.reg .b32 %r<10>;
.reg .f32 %f<10>;
.reg .b64 %rd<4>;
.reg .pred %p<4>;
ld.param.u64 %out, [kernel_param_0];
mov.u32 %thread, %tid.x;
mul.wide.u32 %offset, %thread, 4;
add.s64 %mine, %out, %offset;
mov.u32 %at, shared;
mad.lo.s32 %at, %thread, 4, %at;
)" + body +
         "st.global.u32 [%mine], %result;\nret;\n}\n";
}

/// What each thread of one block leaves in %result. Throws Fault as the kernel deserves.
std::vector<std::uint32_t> run_block(const std::string& body, unsigned threads) {
  const auto module = parse(kernel_of(body));
  std::vector<std::uint32_t> out(threads, 0);
  const std::uint32_t* pointer = out.data();
  run({.kernel = &module->kernels.at("kernel"),
       .blocks = 1,
       .threads = threads,
       .shared_bytes = kSharedBytes,
       .parameters = std::as_bytes(std::span(&pointer, 1)),
       .is_allocated =
           [&](const void* address, std::size_t size) {
             const auto* first = static_cast<const std::byte*>(address);
             const auto bytes = std::as_bytes(std::span(out));
             return first >= bytes.data() && first + size <= bytes.data() + bytes.size();
           },
       .finds_races = true});
  return out;
}

std::string fault_of(const std::string& body, unsigned threads) {
  try {
    (void)run_block(body, threads);
  } catch (const Fault& fault) {
    return fault.what();
  }
  return "none";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::uint32_t result_of(const std::string& body) { return run_block(body, 1).front(); }

float float_result_of(const std::string& body) { return std::bit_cast<float>(result_of(body)); }

}  // namespace

TEST_CASE("integers wrap, divide towards zero and shift out") {
  CHECK(result_of("add.s32 %result, -1, 2;") == 1);
  CHECK(result_of("mul.lo.s32 %result, 2147483647, 2;") == 0xfffffffeU);
  CHECK(result_of("mul.hi.s32 %result, -2, 3;") == 0xffffffffU);
  CHECK(result_of("div.s32 %result, -7, 2;") == static_cast<std::uint32_t>(-3));
  CHECK(result_of("rem.s32 %result, -7, 2;") == static_cast<std::uint32_t>(-1));
  CHECK(result_of("shl.b32 %result, 1, 32;") == 0);
  CHECK(result_of("shr.s32 %result, -8, 1;") == static_cast<std::uint32_t>(-4));
  CHECK(result_of("shr.u32 %result, -8, 1;") == 0x7ffffffcU);
  CHECK(result_of("bfi.b32 %result, 5, 240, 1, 3;") == 0xfaU);
  CHECK(result_of("prmt.b32 %result, 0x03020100, 0x07060504, 0x7610;") == 0x07060100U);
  CHECK(result_of("setp.lt.s32 %p1, -1, 0;\nselp.b32 %result, 7, 9, %p1;") == 7);
  CHECK(result_of("setp.lt.u32 %p1, -1, 0;\nselp.b32 %result, 7, 9, %p1;") == 9);
}

TEST_CASE("floats follow IEEE 754, and NaN loses a maximum") {
  const std::string nan = "mov.f32 %f1, 0f7FC00000;\n";
  CHECK(float_result_of("fma.rn.f32 %result, 0f40000000, 0f40400000, 0f3F800000;") == 7);
  CHECK(float_result_of(nan + "max.f32 %result, %f1, 0f40000000;") == 2);
  CHECK(std::isnan(float_result_of(nan + "add.f32 %result, %f1, 0f40000000;")));
  CHECK(result_of(nan + "setp.neu.f32 %p1, %f1, %f1;\nselp.b32 %result, 1, 0, %p1;") == 1);
  CHECK(result_of(nan + "setp.ne.f32 %p1, %f1, %f1;\nselp.b32 %result, 1, 0, %p1;") == 0);
  CHECK(float_result_of("ex2.approx.ftz.f32 %result, 0fC3000000;") == 0);  // 2^-128
  CHECK(result_of("cvt.rzi.s32.f32 %result, 0fC0200000;") == static_cast<std::uint32_t>(-2));
  CHECK(result_of("cvt.rn.f16x2.f32 %result, 0f3F800000, 0f40000000;") == 0x3c004000U);
}

TEST_CASE("16-bit numbers round to nearest, ties to even") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    if (!std::isnan(float_of_f16(half))) CHECK(f16_of(float_of_f16(half)) == half);
    if (!std::isnan(float_of_bf16(half))) CHECK(bf16_of(float_of_bf16(half)) == half);
  }
  CHECK(f16_of(1 + 0x1p-11F) == 0x3c00);
  CHECK(f16_of(1 + 0x3p-11F) == 0x3c02);
  CHECK(f16_of(65519) == 0x7bff);
  CHECK(f16_of(65520) == 0x7c00);
  CHECK(f16_of(0x1p-25F) == 0);
  CHECK(f16_of(0x1.8p-25F) == 1);
  CHECK(bf16_of(1 + 0x1p-8F) == 0x3f80);
  CHECK(bf16_of(1 + 0x3p-8F) == 0x3f82);
}

TEST_CASE("lanes part at a branch and meet again") {
  const auto results = run_block(
      "mov.u32 %result, 0;\nmov.u32 %r1, 0;\n"
      "loop:\nadd.s32 %result, %result, %r1;\nadd.s32 %r1, %r1, 1;\nsetp.le.s32 %p1, %r1, %thread;\n@%p1 bra loop;\n"
      "shfl.sync.bfly.b32 %r2|%p2, %result, 1, 31, -1;\nadd.s32 %result, %result, %r2;\n",
      32);
  const auto sum = [](std::uint32_t n) { return n * (n + 1) / 2; };
  for (std::uint32_t lane = 0; lane < 32; ++lane) CHECK(results[lane] == sum(lane) + sum(lane ^ 1U));
}

TEST_CASE("an access out of bounds is a fault that tells where") {
  CHECK(contains(fault_of("ld.global.u32 %result, [%mine+4];", 4), "global access of 4 bytes"));
  CHECK(contains(fault_of("ld.global.u32 %result, [%mine+4];", 4), "thread 3 is out of bounds"));
  CHECK(contains(fault_of("ld.global.u32 %result, [%out+2];", 1), "misaligned"));
  CHECK(contains(fault_of("ld.shared.u32 %result, [%at+1024];", 1), "shared access"));
}

TEST_CASE("warps that share memory without a barrier race") {
  const std::string write = "st.shared.u32 [%at], %thread;\n";
  const std::string read_other =
      "xor.b32 %r1, %thread, 32;\nmov.u32 %r2, shared;\nmad.lo.s32 %r2, %r1, 4, %r2;\n"
      "ld.shared.u32 %result, [%r2];\n";
  const auto results = run_block(write + "bar.sync 0;\n" + read_other, 64);
  for (std::uint32_t thread = 0; thread < 64; ++thread) CHECK(results[thread] == (thread ^ 32U));
  CHECK(contains(fault_of(write + read_other, 64), "race"));
  CHECK(contains(fault_of(write + "bar.sync 0;\n" + read_other + write, 64), "race"));
  CHECK(fault_of(write + "bar.sync 0;\n" + read_other + "bar.sync 0;\n" + write, 64) == "none");
  const std::string first_goes_on =
      "setp.lt.u32 %p1, %thread, 32;\n@%p1 bra first;\nbar.sync 1, 64;\nld.shared.u32 %result, [shared];\nbra end;\n"
      "first:\nst.shared.u32 [shared], 7;\nbar.arrive 1, 64;\nmov.u32 %result, 7;\nend:\n";
  for (const std::uint32_t result : run_block(first_goes_on, 64)) CHECK(result == 7U);
  const std::string one_place = "mov.u32 %r2, shared;\nst.shared.u32 [%r2], %thread;\nmov.u32 %result, 0;\n";
  CHECK(contains(fault_of(one_place, 64), "race"));
  CHECK(fault_of(one_place, 32) == "none");
}

TEST_CASE("an mbarrier orders those who wait for it") {
  const std::string init =
      "mov.u32 %r3, shared;\nadd.s32 %r3, %r3, 512;\nsetp.eq.s32 %p1, %thread, 0;\n"
      "@%p1 mbarrier.init.shared::cta.b64 [%r3], 32;\nbar.sync 0;\nsetp.lt.u32 %p2, %thread, 32;\n";
  const std::string write = "@%p2 st.shared.u32 [%at], %thread;\n";
  const std::string arrive = "@%p2 mbarrier.arrive.shared::cta.b64 _, [%r3];\n";
  const std::string wait = "wait:\nmbarrier.try_wait.parity.shared::cta.b64 %p3, [%r3], 0;\n@!%p3 bra wait;\n";
  const std::string read =
      "and.b32 %r1, %thread, 31;\nmov.u32 %r2, shared;\nmad.lo.s32 %r2, %r1, 4, %r2;\n"
      "ld.shared.u32 %result, [%r2];\n";
  const auto results = run_block(init + write + arrive + wait + read, 64);
  for (std::uint32_t thread = 0; thread < 64; ++thread) CHECK(results[thread] == thread % 32);
  CHECK(contains(fault_of(init + write + arrive + read, 64), "race"));
  CHECK(contains(fault_of(init + write + wait + read, 64), "deadlocked"));
}

TEST_CASE("an asynchronous copy comes when it is waited for, no earlier") {
  const std::string copy =
      "st.global.u32 [%mine], 42;\ncp.async.ca.shared.global [%at], [%mine], 4, 4;\n"
      "cp.async.commit_group;\n";
  const std::string read = "ld.shared.u32 %result, [%at];\n";
  CHECK(result_of(copy + "cp.async.wait_group 0;\n" + read) == 42);
  CHECK(result_of(copy + "cp.async.wait_group 1;\n" + read) == 0xffffffffU);
}

TEST_CASE("what the emulator does not know is a fault with its line") {
  CHECK(contains(fault_of("frobnicate.f32 %result, %f1;", 1), "does not know the instruction 'frobnicate.f32'"));
  CHECK(contains(fault_of("bra nowhere;", 1), "no label 'nowhere'"));
}

TEST_CASE("half of a warp cannot shuffle") {
  const std::string half = "setp.lt.s32 %p1, %thread, 16;\n@%p1 shfl.sync.bfly.b32 %result, %thread, 1, 31, -1;\n";
  CHECK(contains(fault_of(half, 32), "only lanes 0xffff"));
}

}  // namespace flashbias::emulator
