#include "runtime/nvrtc.hpp"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "flashbias/error.hpp"
#include "runtime/once_opened.hpp"

namespace flashbias::runtime {
namespace {

constexpr int kOldestMajor = 12;                     // the first to know C++20
constexpr int kCompilationError = 6;                 // NVRTC_ERROR_COMPILATION
constexpr int kInvalidOption = 5;                    // NVRTC_ERROR_INVALID_OPTION
constexpr const char* kSourceName = "flashbias.cu";  // in the compiler's messages

std::string how_to_install() {
  return "Install it with `pip install nvidia-cuda-nvrtc`, or a CUDA toolkit 12.0 or newer, or set FLASHBIAS_NVRTC to "
         "the path of libnvrtc.so.";
}

}  // namespace

const Nvrtc& Nvrtc::get() {
  static OnceOpened<Nvrtc> nvrtc;
  return nvrtc.get([] { return std::make_unique<const Nvrtc>(open(nvrtc_candidates())); });
}

Nvrtc Nvrtc::open(const std::vector<Candidate>& candidates) {
  std::vector<Failure> failures;
  for (const auto& candidate : candidates) {
    try {
      return Nvrtc(DynamicLibrary(candidate.name));
    } catch (const Error& error) {
      failures.push_back({candidate, error.what()});
    }
  }
  throw Error(ErrorCode::compiler_missing,
              fmt::format("no NVRTC to compile the kernel with; tried\n{}{}", to_string(failures), how_to_install()));
}

Nvrtc::Nvrtc(DynamicLibrary library) : library_(std::move(library)) {
  int major = 0;
  int minor = 0;
  check(version_(&major, &minor), "ask NVRTC for its version");
  version_text_ = fmt::format("{}.{}", major, minor);
  if (major < kOldestMajor) {
    throw Error(ErrorCode::compiler_missing,
                fmt::format("is NVRTC {}; {}.0 or newer is needed", version_text_, kOldestMajor));
  }
  const std::string build = library_.build_id();
  if (build.empty()) throw Error(ErrorCode::compiler_missing, "has no GNU build id, which cache keys need");
  full_version_text_ = fmt::format("{}+{}", version_text_, build);
}

void Nvrtc::check(Result result, const char* attempt) const {
  if (result == 0) return;
  throw Error(ErrorCode::compile_failed, fmt::format("could not {}: {}", attempt, get_error_string_(result)));
}

std::vector<int> Nvrtc::supported_archs() const {
  int count = 0;
  check(get_num_supported_archs_(&count), "ask NVRTC for its architectures");
  std::vector<int> archs(static_cast<std::size_t>(count));
  check(get_supported_archs_(archs.data()), "ask NVRTC for its architectures");
  return archs;
}

std::string Nvrtc::log_of(Program program) const {
  std::size_t size = 0;  // with the terminating null
  check(get_program_log_size_(program, &size), "read NVRTC's log");
  std::string log(size, '\0');
  check(get_program_log_(program, log.data()), "read NVRTC's log");
  while (!log.empty() && (log.back() == '\0' || log.back() == '\n')) log.pop_back();
  return log;
}

std::vector<std::byte> Nvrtc::cubin_of(Program program) const {
  std::size_t size = 0;
  check(get_cubin_size_(program, &size), "read NVRTC's cubin");
  std::vector<std::byte> cubin(size);
  check(get_cubin_(program, reinterpret_cast<char*>(cubin.data())), "read NVRTC's cubin");
  return cubin;
}

Nvrtc::Output Nvrtc::compile(const std::string& source, const std::vector<std::string>& options) const {
  Program handle = nullptr;
  check(create_program_(&handle, source.c_str(), kSourceName, 0, nullptr, nullptr), "create a program");
  const auto destroy = [this](ProgramData* program) { destroy_program_(&program); };
  const std::unique_ptr<ProgramData, decltype(destroy)> program(handle, destroy);

  std::vector<const char*> arguments;
  for (const auto& option : options) arguments.push_back(option.c_str());
  const Result result = compile_program_(program.get(), static_cast<int>(arguments.size()), arguments.data());
  if (result == kCompilationError || result == kInvalidOption) {
    return {.succeeded = false, .log = log_of(program.get()), .cubin = {}};
  }
  check(result, "compile");
  return {.succeeded = true, .log = log_of(program.get()), .cubin = cubin_of(program.get())};
}

}  // namespace flashbias::runtime
