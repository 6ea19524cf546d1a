#include "tests/faults/process.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace flashbias::testing {
namespace {

/// Of this process and what it is replaced by.
void limit_files(std::size_t bytes) {
  const rlimit limit{.rlim_cur = bytes, .rlim_max = bytes};
  if (setrlimit(RLIMIT_FSIZE, &limit) != 0 || signal(SIGXFSZ, SIG_IGN) == SIG_ERR) _exit(126);
}

}  // namespace

Process::Process(std::vector<std::string> arguments, const ProcessSetting& setting) {
  std::array<int, 2> pipe{};
  REQUIRE(pipe2(pipe.data(), O_CLOEXEC) == 0);
  arguments.insert(arguments.begin(), FAULTS_WORKER);
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  id_ = fork();
  REQUIRE(id_ >= 0);
  if (id_ == 0) {
    dup2(pipe[1], STDOUT_FILENO);
    for (const auto& variable : setting.variables) putenv(strdup(variable.c_str()));
    if (setting.file_bytes) limit_files(*setting.file_bytes);
    if (setting.user != 0 && setuid(setting.user) != 0) _exit(126);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(pipe[1]);
  output_ = pipe[0];
}

Process::Process(Process&& other) noexcept
    : id_(std::exchange(other.id_, -1)), output_(std::exchange(other.output_, -1)), status_(other.status_) {}

Process::~Process() {
  if (id_ > 0) {
    kill();
    wait();
  }
  if (output_ >= 0) close(output_);
}

std::string Process::read_line() {
  std::string line;
  for (char character = 0; read(output_, &character, 1) == 1 && character != '\n';) line += character;
  return line;
}

int Process::wait() {
  if (id_ > 0) {
    REQUIRE(waitpid(id_, &status_, 0) == id_);
    id_ = -1;
  }
  return status_;
}

bool Process::succeeds() {
  const int status = wait();
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool Process::is_killed() {
  const int status = wait();
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

bool Process::is_stopped() {
  REQUIRE(waitpid(id_, &status_, WUNTRACED) == id_);
  if (WIFSTOPPED(status_)) return true;
  id_ = -1;
  return false;
}

void Process::resume() { ::kill(id_, SIGCONT); }

void Process::kill() { ::kill(id_, SIGKILL); }

}  // namespace flashbias::testing
