#include <doctest/doctest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <string>

#include "tests/errors.hpp"
#include "tests/file_text.hpp"
#include "tests/tools/command.hpp"

using flashbias::testing::file_text;
using flashbias::testing::says;
using flashbias::testing::scratch_path;

namespace {

struct Ended {
  int status = 0;
  std::string error;
};

/// Runs a line of bash in which $f is the command and standard error is kept, where the line does not redirect it.
Ended run_line(const std::string& line) {
  const auto error = scratch_path("line_error");
  const auto all = "f='" FLASHBIAS_COMMAND "' FLASHBIAS_CACHE_DIR='" + scratch_path("cache") +
                   "' FLASHBIAS_LIBCUDA=/nonexistent/libcuda.so.1 bash -o pipefail -c '" + line + "' 2> '" + error +
                   "'";
  const int status = std::system(all.c_str());
  return {.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1, .error = file_text(error)};
}

}  // namespace

TEST_CASE("command: output that cannot be written is an error") {
  for (const std::string verb : {"doctor", "explain --arch sm_80", "emit --arch sm_80 --no-format", "--help",
                                 "emit --help", "--version", "doctor --json"}) {
    INFO(verb);
    const auto full = run_line("$f " + verb + " > /dev/full");
    CHECK(full.status == 1);
    CHECK(full.error == "flashbias: error: cannot write to standard output: No space left on device\n");
    const auto closed = run_line("$f " + verb + " >&-");
    CHECK(closed.status == 1);
    CHECK(closed.error == "flashbias: error: cannot write to standard output: Bad file descriptor\n");
  }
}

TEST_CASE("command: a reader that has seen enough is no error to speak of") {
  CHECK(run_line("$f emit --arch sm_80 --no-format | head -1 > /dev/null").error.empty());
  CHECK(run_line("trap \"\" PIPE; $f emit --arch sm_80 --no-format | true").error.empty());
}

TEST_CASE("command: an error that nobody can read keeps its exit status") {
  for (const std::string nowhere : {"2> /dev/full", "2>&-", "< /dev/null 2>&- >&-", "<&- 2>&- >&-"}) {
    INFO(nowhere);
    CHECK(run_line("$f bogus " + nowhere).status == 2);
    CHECK(run_line("$f explain --arch sm_1 " + nowhere).status == 1);
  }
  const auto cache = scratch_path("unread");
  CHECK(run_line("$f precompile --config head_dim=16 --config head_dim=24 --arch sm_80 --cache " + cache +
                 " 2> /dev/full > /dev/null")
            .status == 0);
  CHECK(run_line("FLASHBIAS_FORMATTER=/nonexistent.so $f emit --arch sm_80 > /dev/null 2> /dev/full").status == 0);
}

TEST_CASE("command: a file that is written does not take the number of a closed stream") {
  const auto path = scratch_path("closed.cu");
  const auto ended = run_line("FLASHBIAS_FORMATTER=/nonexistent.so $f emit --arch sm_80 -o " + path + " <&- 2>&-");
  CHECK(ended.status == 0);
  CHECK_FALSE(file_text(path).empty());
  CHECK(file_text(path).find("unformatted") == std::string::npos);
}
