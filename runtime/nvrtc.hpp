#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "runtime/dynamic_library.hpp"
#include "runtime/library_search.hpp"

namespace flashbias::runtime {

/// NVIDIA's run-time compiler, opened at run time: see nvrtc_candidates for where it is looked for.
class Nvrtc {
 public:
  /// The first candidate that serves, opened once a process. Thread-safe.
  /// Throws Error(compiler_missing) that lists every place looked at and how to install NVRTC.
  [[nodiscard]] static const Nvrtc& get();

  /// Opens the first candidate that serves. Throws as get() does.
  [[nodiscard]] static Nvrtc open(const std::vector<Candidate>& candidates);

  /// The file that was opened.
  [[nodiscard]] std::filesystem::path path() const { return library_.path(); }

  /// Version for people: `13.0`.
  [[nodiscard]] const std::string& version() const noexcept { return version_text_; }

  /// Version with the build, `13.0+65be0db3...`: two NVRTCs that may give different cubins differ in it.
  [[nodiscard]] const std::string& full_version() const noexcept { return full_version_text_; }

  /// Compute capabilities that it compiles for, as major * 10 + minor, ascending.
  [[nodiscard]] std::vector<int> supported_archs() const;

  struct Output {
    bool succeeded = false;
    std::string log;
    std::vector<std::byte> cubin;  ///< empty where compiling failed
  };
  /// Compiles a source to a cubin. Thread-safe. Throws Error(compile_failed) where NVRTC itself breaks down.
  [[nodiscard]] Output compile(const std::string& source, const std::vector<std::string>& options) const;

 private:
  using Result = int;  ///< nvrtcResult; 0 is success
  struct ProgramData;
  using Program = ProgramData*;

  explicit Nvrtc(DynamicLibrary library);

  void check(Result result, const char* attempt) const;
  [[nodiscard]] std::string log_of(Program program) const;
  [[nodiscard]] std::vector<std::byte> cubin_of(Program program) const;

  DynamicLibrary library_;

  // The functions that are used, as NVRTC's reference declares them.
  Result (*version_)(int* major, int* minor) = library_.symbol("nvrtcVersion");
  const char* (*get_error_string_)(Result result) = library_.symbol("nvrtcGetErrorString");
  Result (*get_num_supported_archs_)(int* count) = library_.symbol("nvrtcGetNumSupportedArchs");
  Result (*get_supported_archs_)(int* archs) = library_.symbol("nvrtcGetSupportedArchs");
  Result (*create_program_)(Program* program, const char* source, const char* name, int num_headers,
                            const char* const* headers,
                            const char* const* include_names) = library_.symbol("nvrtcCreateProgram");
  Result (*destroy_program_)(Program* program) = library_.symbol("nvrtcDestroyProgram");
  Result (*compile_program_)(Program program, int num_options,
                             const char* const* options) = library_.symbol("nvrtcCompileProgram");
  Result (*get_program_log_size_)(Program program, std::size_t* size) = library_.symbol("nvrtcGetProgramLogSize");
  Result (*get_program_log_)(Program program, char* log) = library_.symbol("nvrtcGetProgramLog");
  Result (*get_cubin_size_)(Program program, std::size_t* size) = library_.symbol("nvrtcGetCUBINSize");
  Result (*get_cubin_)(Program program, char* cubin) = library_.symbol("nvrtcGetCUBIN");

  std::string version_text_;
  std::string full_version_text_;
};

}  // namespace flashbias::runtime
