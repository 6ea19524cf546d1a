// NVRTC's functions as far as runtime/nvrtc.hpp takes them: NVRTC's own, but for cubins, which carry their PTX.
#include <cstddef>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/dynamic_library.hpp"
#include "runtime/library_search.hpp"
#include "tests/emulator/cubin_with_ptx.hpp"

namespace flashbias::emulator {
namespace {

using Result = int;
using Program = struct ProgramData*;

constexpr Result kSuccess = 0;
constexpr Result kInternalError = 11;

runtime::DynamicLibrary open_nvrtc() {
  const runtime::Variables without_this = [](const char* name) -> std::optional<std::string> {
    const char* value = std::string(name) == "FLASHBIAS_NVRTC" ? nullptr : std::getenv(name);
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
  for (const runtime::Candidate& candidate : runtime::nvrtc_candidates(without_this)) {
    try {
      return runtime::DynamicLibrary(candidate.name);
    } catch (const std::exception&) {  // the next one, then
    }
  }
  throw std::runtime_error("the emulator finds no NVRTC");
}

struct Nvrtc {
  runtime::DynamicLibrary library = open_nvrtc();
  Result (*version)(int*, int*) = library.symbol("nvrtcVersion");
  const char* (*get_error_string)(Result) = library.symbol("nvrtcGetErrorString");
  Result (*get_num_supported_archs)(int*) = library.symbol("nvrtcGetNumSupportedArchs");
  Result (*get_supported_archs)(int*) = library.symbol("nvrtcGetSupportedArchs");
  Result (*create_program)(Program*, const char*, const char*, int, const char* const*,
                           const char* const*) = library.symbol("nvrtcCreateProgram");
  Result (*destroy_program)(Program*) = library.symbol("nvrtcDestroyProgram");
  Result (*compile_program)(Program, int, const char* const*) = library.symbol("nvrtcCompileProgram");
  Result (*get_program_log_size)(Program, std::size_t*) = library.symbol("nvrtcGetProgramLogSize");
  Result (*get_program_log)(Program, char*) = library.symbol("nvrtcGetProgramLog");
  Result (*get_cubin_size)(Program, std::size_t*) = library.symbol("nvrtcGetCUBINSize");
  Result (*get_cubin)(Program, char*) = library.symbol("nvrtcGetCUBIN");
  Result (*get_ptx_size)(Program, std::size_t*) = library.symbol("nvrtcGetPTXSize");
  Result (*get_ptx)(Program, char*) = library.symbol("nvrtcGetPTX");
};

const Nvrtc& nvrtc() {
  static const Nvrtc opened;
  return opened;
}

std::vector<std::byte> cubin_of(Program program) {
  std::size_t size = 0;
  if (nvrtc().get_cubin_size(program, &size) != kSuccess || size == 0) return {};
  std::vector<std::byte> cubin(size);
  nvrtc().get_cubin(program, reinterpret_cast<char*>(cubin.data()));
  nvrtc().get_ptx_size(program, &size);
  std::string ptx(size, '\0');
  nvrtc().get_ptx(program, ptx.data());
  return attach_ptx(cubin, ptx);
}

}  // namespace
}  // namespace flashbias::emulator

using flashbias::emulator::nvrtc;
using flashbias::emulator::Program;
using flashbias::emulator::Result;

extern "C" {

Result nvrtcVersion(int* major, int* minor) { return nvrtc().version(major, minor); }
const char* nvrtcGetErrorString(Result result) { return nvrtc().get_error_string(result); }
Result nvrtcGetNumSupportedArchs(int* count) { return nvrtc().get_num_supported_archs(count); }
Result nvrtcGetSupportedArchs(int* archs) { return nvrtc().get_supported_archs(archs); }
Result nvrtcCreateProgram(Program* program, const char* source, const char* name, int num_headers,
                          const char* const* headers, const char* const* include_names) {
  return nvrtc().create_program(program, source, name, num_headers, headers, include_names);
}
Result nvrtcDestroyProgram(Program* program) { return nvrtc().destroy_program(program); }
Result nvrtcCompileProgram(Program program, int num_options, const char* const* options) {
  return nvrtc().compile_program(program, num_options, options);
}
Result nvrtcGetProgramLogSize(Program program, std::size_t* size) {
  return nvrtc().get_program_log_size(program, size);
}
Result nvrtcGetProgramLog(Program program, char* log) { return nvrtc().get_program_log(program, log); }
Result nvrtcGetCUBINSize(Program program, std::size_t* size) {
  *size = flashbias::emulator::cubin_of(program).size();
  return *size > 0 ? flashbias::emulator::kSuccess : flashbias::emulator::kInternalError;
}
Result nvrtcGetCUBIN(Program program, char* cubin) {
  const auto bytes = flashbias::emulator::cubin_of(program);
  std::memcpy(cubin, bytes.data(), bytes.size());
  return flashbias::emulator::kSuccess;
}

}  // extern "C"
