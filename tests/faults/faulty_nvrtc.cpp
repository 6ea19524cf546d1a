#include <dlfcn.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

// NVRTC, given to a process in place of the real one:
//
//     FAULT_NVRTC=FILE         the real one
//     FAULT_COMPILE_LOG=FILE   to which a dot is added for each compile, by whichever process
//     FAULT_FAIL_WHILE=FILE    while there is such a file, what is compiled is a source with an error, after a moment
//     in
//                              which others come to wait

namespace {

using Result = int;
using Program = void*;

const char* variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

template <class Function>
Function* real(const char* name) {
  static void* library = dlopen(variable("FAULT_NVRTC"), RTLD_NOW | RTLD_LOCAL);
  return reinterpret_cast<Function*>(dlsym(library, name));
}

}  // namespace

extern "C" {

Result nvrtcCreateProgram(Program* program, const char* source, const char* name, int header_count,
                          const char* const* headers, const char* const* header_names) {
  const bool fails = std::filesystem::exists(variable("FAULT_FAIL_WHILE"));
  if (fails) std::this_thread::sleep_for(std::chrono::milliseconds(200));
  return real<Result(Program*, const char*, const char*, int, const char* const*, const char* const*)>(
      "nvrtcCreateProgram")(program, fails ? "#error told to fail" : source, name, header_count, headers, header_names);
}

Result nvrtcCompileProgram(Program program, int option_count, const char* const* options) {
  std::ofstream(variable("FAULT_COMPILE_LOG"), std::ios::app) << '.' << std::flush;
  return real<Result(Program, int, const char* const*)>("nvrtcCompileProgram")(program, option_count, options);
}

Result nvrtcVersion(int* major, int* minor) { return real<Result(int*, int*)>("nvrtcVersion")(major, minor); }

const char* nvrtcGetErrorString(Result result) { return real<const char*(Result)>("nvrtcGetErrorString")(result); }

Result nvrtcGetNumSupportedArchs(int* count) { return real<Result(int*)>("nvrtcGetNumSupportedArchs")(count); }

Result nvrtcGetSupportedArchs(int* archs) { return real<Result(int*)>("nvrtcGetSupportedArchs")(archs); }

Result nvrtcDestroyProgram(Program* program) { return real<Result(Program*)>("nvrtcDestroyProgram")(program); }

Result nvrtcGetProgramLogSize(Program program, std::size_t* size) {
  return real<Result(Program, std::size_t*)>("nvrtcGetProgramLogSize")(program, size);
}

Result nvrtcGetProgramLog(Program program, char* log) {
  return real<Result(Program, char*)>("nvrtcGetProgramLog")(program, log);
}

Result nvrtcGetCUBINSize(Program program, std::size_t* size) {
  return real<Result(Program, std::size_t*)>("nvrtcGetCUBINSize")(program, size);
}

Result nvrtcGetCUBIN(Program program, char* cubin) {
  return real<Result(Program, char*)>("nvrtcGetCUBIN")(program, cubin);
}

}  // extern "C"
