#pragma once

#include <cstring>
#include <stdexcept>
#include <type_traits>

#include "flashbias/tensor.hpp"
#include "runtime/launch.hpp"

namespace flashbias::runtime {

/// Appends the members of the kernel's parameter struct.
class ParameterWriter {
 public:
  explicit ParameterWriter(LaunchPlan& launch) : launch_(launch) {}

  /// Of q, k, v and their like.
  void append_operand(const TensorView& tensor) {
    append(tensor.data, tensor.strides[0], tensor.strides[1], tensor.strides[2]);
  }

  template <typename... Values>
  void append(const Values&... values) {
    (append_one(values), ...);
  }

 private:
  template <typename Value>
  void append_one(const Value& value) {
    static_assert(std::is_trivially_copyable_v<Value>);
    if (launch_.parameter_bytes + sizeof(Value) > launch_.parameters.size()) [[unlikely]]
      throw std::logic_error("the plan has more parameters than fit into a launch");
    std::memcpy(launch_.parameters.data() + launch_.parameter_bytes, &value, sizeof(Value));
    launch_.parameter_bytes += sizeof(Value);
  }

  LaunchPlan& launch_;
};

}  // namespace flashbias::runtime
