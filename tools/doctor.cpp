#include "flashbias/doctor.hpp"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <memory>

#include "tools/compile_all.hpp"
#include "tools/flag_checks.hpp"
#include "tools/verbs.hpp"

namespace flashbias::tools {
namespace {

struct DoctorOptions {
  std::string cache;
  bool json = false;
};

void examine(const DoctorOptions& options) {
  const auto report = doctor::examine(cache_directory(options.cache));
  fmt::print("{}", options.json ? doctor::to_json(report) + '\n' : doctor::to_string(report));
}

}  // namespace

void add_doctor(CLI::App& app) {
  auto* verb =
      app.add_subcommand("doctor", "Say what was found on this machine: NVRTC, driver, GPUs, cache, formatter");
  auto options = std::make_shared<DoctorOptions>();
  verb->add_option("--cache", options->cache, "directory in place of the default cache")->check(not_empty());
  verb->add_flag("--json", options->json, "for programs");
  verb->callback([options] { examine(*options); });
}

}  // namespace flashbias::tools
