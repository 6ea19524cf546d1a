#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "flashbias/version.hpp"
#include "tools/usage_error.hpp"
#include "tools/verbs.hpp"

// NOLINTNEXTLINE(bugprone-exception-escape): past the handlers, only building the parser or printing can throw
int main(int argc, char** argv) {
  using namespace flashbias::tools;
  constexpr int kUsageError = 2;

  CLI::App app("Kernels for attention with bias: softmax(scale q k^T + b) v", "flashbias");
  app.set_version_flag("--version", "flashbias " FLASHBIAS_VERSION);
  app.require_subcommand(1);
  add_emit(app);
  add_explain(app);
  add_compile(app);
  add_precompile(app);
  add_cache(app);
  add_pack(app);
  add_run(app);
  add_decompose(app);
  add_doctor(app);
  add_tune(app);
  add_demo(app);

  try {
    app.parse(argc, argv);  // runs the verb
    return 0;
  } catch (const CLI::Success& help_or_version) {
    return app.exit(help_or_version);
  } catch (const CLI::RuntimeError& reported) {  // the verb has said what failed
    return reported.get_exit_code();
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "flashbias: error: {}\n", usage_error_text(app, error));
    return kUsageError;
  } catch (const std::exception& error) {
    fmt::print(stderr, "flashbias: error: {}\n", error.what());
    return 1;
  }
}
