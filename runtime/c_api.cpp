#include <fmt/format.h>

#include <exception>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flashbias/flashbias.h"
#include "flashbias/flashbias.hpp"
#include "runtime/dlpack.hpp"

struct flashbias_kernel {
  flashbias::Kernel kernel;
  mutable std::once_flag explained;
  mutable std::string explanation;
};

namespace {

using flashbias::AttentionArguments;
using flashbias::BackwardArguments;
using flashbias::BiasInput;
using flashbias::Error;
using flashbias::ErrorCode;
using flashbias::GradientOutput;
using flashbias::runtime::view_of;

thread_local std::string last_error;

flashbias_status status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_config:
      return FLASHBIAS_INVALID_CONFIG;
    case ErrorCode::invalid_argument:
      return FLASHBIAS_INVALID_ARGUMENT;
    case ErrorCode::parse:
      return FLASHBIAS_PARSE;
    case ErrorCode::unsupported_device:
      return FLASHBIAS_UNSUPPORTED_DEVICE;
    case ErrorCode::compiler_missing:
      return FLASHBIAS_COMPILER_MISSING;
    case ErrorCode::driver_missing:
      return FLASHBIAS_DRIVER_MISSING;
    case ErrorCode::compile_failed:
      return FLASHBIAS_COMPILE_FAILED;
    case ErrorCode::not_precompiled:
      return FLASHBIAS_NOT_PRECOMPILED;
    case ErrorCode::cuda:
      return FLASHBIAS_CUDA;
    case ErrorCode::cache:
      return FLASHBIAS_CACHE;
    case ErrorCode::io:
      return FLASHBIAS_IO;
  }
  return FLASHBIAS_INTERNAL;
}

/// Keeps the message; where even that fails for want of memory, the message is empty.
flashbias_status fail(flashbias_status status, const char* message) noexcept {
  try {
    last_error = message;
  } catch (...) {
    last_error.clear();
  }
  return status;
}

/// Runs the body of a function of the API. No exception crosses into the caller's language.
template <class Body>
flashbias_status guard(Body&& body) noexcept {
  try {
    std::forward<Body>(body)();
    return FLASHBIAS_OK;
  } catch (const Error& error) {
    return fail(status_of(error.code()), error.what());
  } catch (const std::exception& error) {
    return fail(FLASHBIAS_INTERNAL, error.what());
  } catch (...) {
    return fail(FLASHBIAS_INTERNAL, "an exception of unknown type");
  }
}

template <class Pointer>
void require(std::string_view name, Pointer pointer) {
  if (pointer == nullptr) [[unlikely]] {
    throw Error(ErrorCode::invalid_argument, fmt::format("{} is NULL", name));
  }
}

/// Views of the bias inputs, in a buffer that is reused by the thread's next call.
std::span<const BiasInput> bias_inputs_of(const flashbias_input* given, std::size_t count) {
  thread_local std::vector<BiasInput> inputs;
  inputs.clear();
  if (count != 0) require("bias_inputs", given);
  for (const flashbias_input& input : std::span(given, count)) {
    require("the name of a bias input", input.name);
    inputs.push_back({.name = input.name, .tensor = view_of(input.name, input.tensor)});
  }
  return inputs;
}

/// Likewise of the gradients.
std::span<const GradientOutput> gradients_of(const flashbias_gradient* given, std::size_t count) {
  thread_local std::vector<GradientOutput> gradients;
  gradients.clear();
  if (count != 0) require("gradients", given);
  for (const flashbias_gradient& gradient : std::span(given, count)) {
    require("the name of a gradient", gradient.name);
    gradients.push_back(
        {.name = gradient.name, .tensor = view_of(fmt::format("the gradient of {}", gradient.name), gradient.tensor)});
  }
  return gradients;
}

/// 0 stands for the default.
std::optional<float> softmax_scale_of(float given) { return given != 0 ? std::optional(given) : std::nullopt; }

AttentionArguments arguments_of(const flashbias_arguments& arguments) {
  AttentionArguments converted{.q = view_of("q", arguments.q),
                               .k = view_of("k", arguments.k),
                               .v = view_of("v", arguments.v),
                               .out = view_of("out", arguments.out),
                               .log_sum_exp = std::nullopt,
                               .bias_inputs = bias_inputs_of(arguments.bias_inputs, arguments.num_bias_inputs),
                               .softmax_scale = softmax_scale_of(arguments.softmax_scale)};
  if (arguments.log_sum_exp != nullptr) converted.log_sum_exp = view_of("log_sum_exp", arguments.log_sum_exp);
  return converted;
}

BackwardArguments arguments_of(const flashbias_backward_arguments& arguments) {
  return {.q = view_of("q", arguments.q),
          .k = view_of("k", arguments.k),
          .v = view_of("v", arguments.v),
          .out = view_of("out", arguments.out),
          .log_sum_exp = view_of("log_sum_exp", arguments.log_sum_exp),
          .d_out = view_of("d_out", arguments.d_out),
          .bias_inputs = bias_inputs_of(arguments.bias_inputs, arguments.num_bias_inputs),
          .gradients = gradients_of(arguments.gradients, arguments.num_gradients),
          .softmax_scale = softmax_scale_of(arguments.softmax_scale)};
}

}  // namespace

extern "C" {

const char* flashbias_version(void) { return FLASHBIAS_VERSION; }

const char* flashbias_last_error(void) { return last_error.c_str(); }

int flashbias_get(const char* config, flashbias_kernel** kernel) {
  return guard([&] {
    require("kernel", kernel);
    *kernel = nullptr;
    require("config", config);
    *kernel = new flashbias_kernel{flashbias::jit::get(flashbias::parse_config(config)), {}, {}};
  });
}

void flashbias_kernel_free(flashbias_kernel* kernel) { delete kernel; }

int flashbias_launch(const flashbias_kernel* kernel, const flashbias_arguments* arguments, void* stream) {
  return guard([&] {
    require("kernel", kernel);
    require("arguments", arguments);
    kernel->kernel.launch(arguments_of(*arguments), static_cast<CUstream_st*>(stream));
  });
}

int flashbias_launch_backward(const flashbias_kernel* kernel, const flashbias_backward_arguments* arguments,
                              void* stream) {
  return guard([&] {
    require("kernel", kernel);
    require("arguments", arguments);
    kernel->kernel.launch_backward(arguments_of(*arguments), static_cast<CUstream_st*>(stream));
  });
}

const char* flashbias_kernel_explain(const flashbias_kernel* kernel) {
  const flashbias_status status = guard([&] {
    require("kernel", kernel);
    std::call_once(kernel->explained, [&] { kernel->explanation = explain(kernel->kernel.plan()); });
  });
  return status == FLASHBIAS_OK ? kernel->explanation.c_str() : nullptr;
}

const char* flashbias_kernel_key(const flashbias_kernel* kernel) {
  const flashbias_status status = guard([&] { require("kernel", kernel); });
  return status == FLASHBIAS_OK ? kernel->kernel.key().data() : nullptr;
}

int flashbias_get_counters(flashbias_counters* counters) {
  return guard([&] {
    require("counters", counters);
    const flashbias::jit::Counters read = flashbias::jit::default_cache().counters();
    *counters = {.memory_hits = read.memory_hits,
                 .pack_hits = read.pack_hits,
                 .disk_hits = read.disk_hits,
                 .compiles = read.compiles,
                 .failures = read.failures,
                 .compile_ms = read.compile_ms};
  });
}

}  // extern "C"
