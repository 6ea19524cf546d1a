#include "tools/usage_error.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>  // whole: it defines what App.hpp only declares
#include <string_view>
#include <vector>

#include "tools/suggest.hpp"

namespace flashbias::tools {
namespace {

std::vector<std::string> verbs_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(verb->get_name());
  return names;
}

std::vector<std::string> flags_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::string suggest(const std::string& text, const std::vector<std::string>& names) {
  return suggestion(text, std::vector<std::string_view>(names.begin(), names.end()));
}

std::string problem(const CLI::App& verb, const CLI::ParseError& error) {
  const auto verbs = verbs_of(verb);
  const auto unknown = verb.remaining();
  if (!verbs.empty() && unknown.empty()) return fmt::format("expected one of {} next", fmt::join(verbs, ", "));
  if (!verbs.empty()) return fmt::format("there is no '{}'{}", unknown.front(), suggest(unknown.front(), verbs));
  if (error.get_exit_code() != static_cast<int>(CLI::ExitCodes::ExtrasError) || unknown.empty()) return error.what();
  for (const auto& text : unknown) {
    if (!text.starts_with("--")) continue;
    const std::string flag = text.substr(0, text.find('='));
    return fmt::format("there is no {}{}", flag, suggest(flag, flags_of(verb)));
  }
  return fmt::format("unexpected '{}'", unknown.front());
}

}  // namespace

std::string usage_error_text(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* verb = &app;
  std::string command = app.get_name();
  while (!verb->get_subcommands().empty()) {
    verb = verb->get_subcommands().front();
    command += " " + verb->get_name();
  }
  return fmt::format("{}; see `{} --help`", problem(*verb, error), command);
}

}  // namespace flashbias::tools
