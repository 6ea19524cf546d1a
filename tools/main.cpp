#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <sstream>
#include <system_error>

#include "flashbias/version.hpp"
#include "tools/standard_streams.hpp"
#include "tools/usage_error.hpp"
#include "tools/verbs.hpp"

namespace {

using namespace flashbias::tools;

constexpr int kFailure = 1;
constexpr int kUsageError = 2;

/// Runs the verb that the command line names. `lost`: why something could not be printed.
int run(int argc, char** argv, std::error_code& lost) {
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
    std::ostringstream text;  // std::cout would flush, and drop what it cannot write with the reason
    const int status = app.exit(help_or_version, text);
    if (std::fputs(text.str().c_str(), stdout) < 0) lost = std::error_code(errno, std::generic_category());
    return status;
  } catch (const CLI::RuntimeError& reported) {  // the verb has said what failed
    return reported.get_exit_code();
  } catch (const CLI::ParseError& error) {
    complain("error: " + usage_error_text(app, error));
    return kUsageError;
  } catch (const std::system_error& error) {
    if (std::ferror(stdout) != 0)
      lost = error.code();
    else
      complain(fmt::format("error: {}", error.what()));
    return kFailure;
  } catch (const std::exception& error) {
    complain(fmt::format("error: {}", error.what()));
    return kFailure;
  }
}

}  // namespace

// NOLINTNEXTLINE(bugprone-exception-escape): past the handlers, only building the parser or memory can throw
int main(int argc, char** argv) {
  open_standard_streams();
  std::error_code lost;
  const int status = run(argc, argv, lost);
  if (finish_output(lost)) return status;
  return status == 0 ? kFailure : status;
}
