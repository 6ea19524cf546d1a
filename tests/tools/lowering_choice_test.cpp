#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <regex>
#include <string>

#include "flashbias/plan.hpp"
#include "tools/manifest.hpp"

namespace flashbias::testing {
namespace {

/// Milliseconds by bias and lowering, as `flashbias tune` printed them.
std::map<std::string, std::map<std::string, double>> measured_lowerings(const std::string& path) {
  std::map<std::string, std::map<std::string, double>> result;
  const std::regex title(R"((\w.*), B=\d+ H=\d+ N=.*)");
  const std::regex row(R"([* ] ([a-z]+(?: [a-z]+)?(?: \+ [a-z]+)*) +[\dx,r]+ +[\d.]+ +([\d.]+) +[\d.]+ .*)");
  std::ifstream file(path);
  std::string bias;
  std::smatch found;
  for (std::string line; std::getline(file, line);) {
    if (std::regex_match(line, found, title)) bias = found[1];
    if (std::regex_match(line, found, row)) result[bias][found[1]] = std::stod(found[2]);
  }
  return result;
}

std::string lowerings_of(const KernelPlan& plan) {
  std::string text;
  for (const TermPlan& term : plan.terms) text += (text.empty() ? "" : " + ") + std::string(to_string(term.lowering));
  return text;
}

}  // namespace

TEST_CASE("the planner's choice is within 5 % of the best lowering measured in at least 9 of 10 biases") {
  const auto measured = measured_lowerings(FLASHBIAS_MEASURED_LOWERINGS);
  int compared = 0;
  int close = 0;
  for (const tools::ManifestEntry& entry : tools::read_manifest(FLASHBIAS_LOWERINGS)) {
    AttentionConfig config = entry.config;
    config.arch = Arch{90};
    CAPTURE(entry.name);
    const auto& times = measured.at(entry.name);
    if (times.size() < 2) continue;  // there was no choice
    const std::string choice = lowerings_of(plan(config));
    CAPTURE(choice);
    REQUIRE(times.contains(choice));
    const auto best = std::ranges::min_element(times, {}, [](const auto& time) { return time.second; });
    ++compared;
    close += times.at(choice) <= 1.05 * best->second ? 1 : 0;
  }
  CHECK(compared == 10);
  CHECK(10 * close >= 9 * compared);
}

}  // namespace flashbias::testing
