#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <ctime>

// Preloaded into a process to fail it at a system call:
//
//     FAULT_KILL_AT=7    SIGKILL in place of the seventh call that changes files; a write first writes half
//     FAULT_STOP_AT=7    SIGSTOP before it, so that others can act meanwhile
//     FAULT_NO_LOCKS=1   open file description locks do not work, as on some network file systems
//     FAULT_STUCK=NAME     what has a name that begins so can be neither renamed nor deleted
//     FAULT_CLOCK=3600   the clock is an hour ahead; the system's times of files are not

namespace {

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

int number_in(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? 0 : std::atoi(value);
}

bool is_last_call() {
  static const int last = number_in("FAULT_KILL_AT");
  static const int stop = number_in("FAULT_STOP_AT");
  static std::atomic<int> calls = 0;
  const int call = ++calls;
  if (call == stop) raise(SIGSTOP);
  return call == last;
}

void kill_at_last_call() {
  if (is_last_call()) raise(SIGKILL);
}

/// As an immutable file is.
bool is_stuck(const char* path) {
  static const char* const name = std::getenv("FAULT_STUCK");
  if (name == nullptr || std::strncmp(path, name, std::strlen(name)) != 0) return false;
  errno = EPERM;
  return true;
}

bool changes_files(int flags) { return (flags & (O_CREAT | O_TRUNC)) != 0; }

mode_t mode_of(int flags, va_list arguments) { return (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0; }

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  if (changes_files(flags)) kill_at_last_call();
  return next<int(const char*, int, ...)>("open")(path, flags, mode);
}

int openat(int directory, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  if (changes_files(flags)) kill_at_last_call();
  return next<int(int, const char*, int, ...)>("openat")(directory, path, flags, mode);
}

ssize_t write(int file, const void* data, size_t size) {
  const auto real = next<ssize_t(int, const void*, size_t)>("write");
  if (is_last_call()) {
    (void)real(file, data, size / 2);
    raise(SIGKILL);
  }
  return real(file, data, size);
}

int fsync(int file) {
  kill_at_last_call();
  return next<int(int)>("fsync")(file);
}

int mkdir(const char* path, mode_t mode) {
  kill_at_last_call();
  return next<int(const char*, mode_t)>("mkdir")(path, mode);
}

int mkdirat(int directory, const char* path, mode_t mode) {
  kill_at_last_call();
  return next<int(int, const char*, mode_t)>("mkdirat")(directory, path, mode);
}

int renameat(int from_directory, const char* from, int to_directory, const char* to) {
  kill_at_last_call();
  if (is_stuck(from)) return -1;
  return next<int(int, const char*, int, const char*)>("renameat")(from_directory, from, to_directory, to);
}

int unlinkat(int directory, const char* path, int flags) {
  kill_at_last_call();
  if (is_stuck(path)) return -1;
  return next<int(int, const char*, int)>("unlinkat")(directory, path, flags);
}

int linkat(int from_directory, const char* from, int to_directory, const char* to, int flags) {
  kill_at_last_call();
  return next<int(int, const char*, int, const char*, int)>("linkat")(from_directory, from, to_directory, to, flags);
}

int fchmodat(int directory, const char* path, mode_t mode, int flags) {
  kill_at_last_call();
  return next<int(int, const char*, mode_t, int)>("fchmodat")(directory, path, mode, flags);
}

int futimens(int file, const struct timespec times[2]) {
  kill_at_last_call();
  return next<int(int, const struct timespec*)>("futimens")(file, times);
}

int utimensat(int directory, const char* path, const struct timespec times[2], int flags) {
  kill_at_last_call();
  return next<int(int, const char*, const struct timespec*, int)>("utimensat")(directory, path, times, flags);
}

int clock_gettime(clockid_t clock, struct timespec* time) {
  static const int seconds_ahead = number_in("FAULT_CLOCK");
  const int result = next<int(clockid_t, struct timespec*)>("clock_gettime")(clock, time);
  if (clock == CLOCK_REALTIME) time->tv_sec += seconds_ahead;
  return result;
}

int fcntl(int file, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  static const bool no_locks = number_in("FAULT_NO_LOCKS") != 0;
  if (no_locks && (command == F_OFD_SETLK || command == F_OFD_SETLKW)) {
    errno = ENOLCK;
    return -1;
  }
  return next<int(int, int, ...)>("fcntl")(file, command, argument);
}

}  // extern "C"
