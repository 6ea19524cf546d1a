#pragma once

#include <string>
#include <string_view>

#include "codegen/inliner.hpp"
#include "codegen/key_range.hpp"
#include "codegen/main_loop.hpp"
#include "flashbias/plan.hpp"

/// Pieces of the generated block that both directions have.
namespace flashbias::codegen {

[[nodiscard]] std::string include_line(std::string_view file);

inline constexpr std::string_view kNumberTypes =
    "using i64 = long long;\nusing u32 = unsigned int;\nusing u16 = unsigned short;\n\n";

/// `constexpr int kBlockQ = 64;` and others that every kernel has.
[[nodiscard]] std::string size_constants(const KernelPlan& plan);

/// Those of a kernel whose main loop is that for Hopper.
[[nodiscard]] std::string hopper_constants(const KernelPlan& plan, const RoleRegisters& registers);

/// `const u16* q; i64 q_batch_stride, ...;`
[[nodiscard]] std::string operand_parameter(std::string_view name, bool is_written);

/// Choices of templates that the config alone decides.
[[nodiscard]] Choices common_choices(const KernelPlan& plan, const KeyRange& visible);

}  // namespace flashbias::codegen
