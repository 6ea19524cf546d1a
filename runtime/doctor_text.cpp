#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "flashbias/doctor.hpp"

namespace flashbias::doctor {
namespace {

using Json = nlohmann::ordered_json;

std::string describe(const Compiler& compiler) {
  if (!compiler.problem.empty()) return compiler.problem;
  return fmt::format("{} ({}), compiles for sm_{}", compiler.version, compiler.path.string(),
                     fmt::join(compiler.supported_archs, ", sm_"));
}

std::string describe(const Driver& driver) {
  std::string found =
      driver.version.empty() ? "" : fmt::format("for CUDA {} ({})", driver.version, driver.path.string());
  if (driver.problem.empty()) return found;
  return found.empty() ? driver.problem : fmt::format("{}: {}", found, driver.problem);
}

std::string describe(const Device& device) {
  return fmt::format("{}, compute capability {}.{}, {}", device.name, device.major, device.minor,
                     device.arch ? "kernels for " + flashbias::to_string(*device.arch) : device.problem);
}

std::string describe(const Cache& cache) {
  std::string text = fmt::format("{}, {} entries, {} bytes", cache.directory.string(), cache.entries, cache.bytes);
  if (!cache.problem.empty()) text += ": " + cache.problem;
  return text;
}

std::string describe(const Formatter& formatter) { return formatter.problem.empty() ? "found" : formatter.problem; }

Json to_value(const Device& device) {
  return {{"ordinal", device.ordinal},
          {"name", device.name},
          {"compute_capability", fmt::format("{}.{}", device.major, device.minor)},
          {"arch", device.arch ? Json(flashbias::to_string(*device.arch)) : Json()},
          {"problem", device.problem}};
}

}  // namespace

std::string to_string(const Report& report) {
  std::string text = fmt::format("NVRTC      {}\ndriver     {}\n", describe(report.compiler), describe(report.driver));
  for (const auto& device : report.devices) text += fmt::format("GPU {}      {}\n", device.ordinal, describe(device));
  return text + fmt::format("cache      {}\nformatter  {}\n", describe(report.cache), describe(report.formatter));
}

std::string to_json(const Report& report) {
  Json devices = Json::array();
  for (const auto& device : report.devices) devices.push_back(to_value(device));
  const Json json = {
      {"compiler",
       {{"path", report.compiler.path.string()},
        {"version", report.compiler.version},
        {"supported_archs", report.compiler.supported_archs},
        {"problem", report.compiler.problem}}},
      {"driver",
       {{"path", report.driver.path.string()}, {"version", report.driver.version}, {"problem", report.driver.problem}}},
      {"devices", devices},
      {"cache",
       {{"directory", report.cache.directory.string()},
        {"entries", report.cache.entries},
        {"bytes", report.cache.bytes},
        {"problem", report.cache.problem}}},
      {"formatter", {{"problem", report.formatter.problem}}}};
  // A path need not be UTF-8.
  return json.dump(2, ' ', /*ensure_ascii=*/false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace flashbias::doctor
