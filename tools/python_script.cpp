#include "tools/python_script.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "flashbias/error.hpp"
#include "runtime/environment.hpp"

namespace flashbias::tools {
namespace {

struct Outcome {
  bool succeeded = false;
  std::string output;  ///< stdout and stderr
};

/// Both ends of a pipe, closed with the object.
struct Pipe {
  std::array<int, 2> ends{-1, -1};
  Pipe() {
    if (pipe2(ends.data(), O_CLOEXEC) != 0)
      throw Error(ErrorCode::io, fmt::format("no pipe to read a program by: {}", std::strerror(errno)));
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  void close_end(std::size_t end) {
    if (ends.at(end) >= 0) close(ends.at(end));
    ends.at(end) = -1;
  }
};

/// Runs a program, looked up on PATH, without a shell.
Outcome run(std::vector<std::string> command) {
  std::vector<char*> argv;
  for (std::string& word : command) argv.push_back(word.data());
  argv.push_back(nullptr);

  Pipe pipe;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, pipe.ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, pipe.ends[1], STDERR_FILENO);
  pid_t child = 0;
  const int problem = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (problem != 0) return {.succeeded = false, .output = std::strerror(problem)};

  pipe.close_end(1);
  Outcome outcome;
  std::array<char, 4096> piece{};
  ssize_t count = 0;
  while ((count = read(pipe.ends[0], piece.data(), piece.size())) > 0)
    outcome.output.append(piece.data(), static_cast<std::size_t>(count));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  outcome.succeeded = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return outcome;
}

std::vector<std::string> candidates() {
  if (const auto chosen = runtime::environment_variable("FLASHBIAS_PYTHON")) return {*chosen};
  return {"python3", "/usr/bin/python3"};
}

std::string find_python(const std::string& modules) {
  std::vector<std::string> tried = candidates();
  for (const std::string& python : tried)
    if (run({python, "-c", "import " + modules}).succeeded) return python;
  throw Error(
      ErrorCode::io,
      fmt::format("no Python with {} ({} tried); install it, such as by `apt-get install python3-matplotlib` or "
                  "`python3 -m pip install matplotlib`, or name a Python that has it in FLASHBIAS_PYTHON",
                  modules, fmt::join(tried, " and ")));
}

}  // namespace

void run_python(std::string_view script, const std::string& modules, const std::vector<std::string>& arguments) {
  std::vector<std::string> command{find_python(modules), "-c", std::string(script)};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const Outcome outcome = run(command);
  if (!outcome.succeeded) throw Error(ErrorCode::io, fmt::format("{} failed:\n{}", command.front(), outcome.output));
}

}  // namespace flashbias::tools
