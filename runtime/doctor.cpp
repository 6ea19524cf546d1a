#include "flashbias/doctor.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <system_error>

#include "flashbias/cache.hpp"
#include "flashbias/error.hpp"
#include "flashbias/jit.hpp"
#include "flashbias/source.hpp"
#include "runtime/driver.hpp"
#include "runtime/nvrtc.hpp"

namespace flashbias::doctor {
namespace {

namespace fs = std::filesystem;

Compiler examine_compiler() {
  Compiler report;
  try {
    const auto& nvrtc = runtime::Nvrtc::get();
    report.path = nvrtc.path();
    report.version = nvrtc.full_version();
    report.supported_archs = nvrtc.supported_archs();
  } catch (const Error& error) {
    report.problem = error.what();
  }
  return report;
}

Driver examine_driver() {
  Driver report;
  try {
    // Opened by itself first: it has a version even where it finds no GPU to initialise.
    const auto driver = runtime::Driver::open(runtime::driver_candidates());
    report.path = driver.path();
    int version = 0;
    driver.check(driver.cuDriverGetVersion(&version), "ask the CUDA driver for its version");
    report.version = fmt::format("{}.{}", version / 1000, version % 1000 / 10);
    (void)runtime::Driver::get();
  } catch (const Error& error) {
    report.problem = error.what();
  }
  return report;
}

Device examine_device(const runtime::Driver& driver, int ordinal) {
  Device report;
  report.ordinal = ordinal;
  try {
    runtime::CUdevice device = 0;
    std::array<char, 256> name{};
    driver.check(driver.cuDeviceGet(&device, ordinal), "open the device");
    driver.check(driver.cuDeviceGetName(name.data(), static_cast<int>(name.size()), device), "ask for its name");
    report.name = name.data();
    driver.check(
        driver.cuDeviceGetAttribute(&report.major, runtime::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device),
        "ask for its compute capability");
    driver.check(
        driver.cuDeviceGetAttribute(&report.minor, runtime::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device),
        "ask for its compute capability");
    report.arch = arch_of_device(report.major, report.minor);
  } catch (const Error& error) {
    report.problem = error.what();
  }
  return report;
}

/// Of a driver that serves.
std::vector<Device> examine_devices() {
  const auto& driver = runtime::Driver::get();
  int count = 0;
  driver.check(driver.cuDeviceGetCount(&count), "count the devices");
  std::vector<Device> reports;
  for (int ordinal = 0; ordinal < count; ++ordinal) reports.push_back(examine_device(driver, ordinal));
  return reports;
}

/// Whether files can be made in a directory, or the directory itself where it does not exist.
bool is_writable(fs::path directory) {
  std::error_code error;
  while (!fs::exists(directory, error) && directory != directory.root_path()) directory = directory.parent_path();
  return fs::is_directory(directory, error) && access(directory.c_str(), W_OK | X_OK) == 0;
}

Cache examine_cache(const std::optional<fs::path>& directory) {
  Cache report;
  try {
    const auto chosen = directory ? directory : jit::Options::from_environment().cache_dir;
    if (!chosen) throw Error(ErrorCode::cache, "there is no place for it; set FLASHBIAS_CACHE_DIR");
    const cache::DiskStore store(*chosen);
    report.directory = store.directory();
    for (const auto& entry : store.list()) {
      ++report.entries;
      report.bytes += entry.bytes;
    }
    if (!is_writable(store.directory())) {
      report.problem =
          "it cannot be written: what it holds is served, other kernels are compiled anew in each process; set "
          "FLASHBIAS_CACHE_DIR";
    }
  } catch (const Error& error) {
    report.problem = error.what();
  }
  return report;
}

}  // namespace

Report examine(const std::optional<fs::path>& cache_directory) {
  Report report;
  report.compiler = examine_compiler();
  report.driver = examine_driver();
  if (report.driver.problem.empty()) report.devices = examine_devices();
  report.cache = examine_cache(cache_directory);
  report.formatter.problem = format_source({"int formatted;"}).why_not;
  return report;
}

}  // namespace flashbias::doctor
