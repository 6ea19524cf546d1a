#include "cache/growth.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <string>

namespace flashbias::cache {
namespace {

constexpr const char* kGrowthFile = "published";
constexpr std::uintmax_t kUnit = 1024;
constexpr std::uintmax_t kLooksALimit = 16;

}  // namespace

bool has_outgrown(const FileDescriptor& store, std::uintmax_t published_bytes, std::uintmax_t limit) {
  const FileDescriptor file = open_at(store, kGrowthFile, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0600);
  const std::string units((published_bytes + kUnit - 1) / kUnit, '+');
  struct stat status {};
  const bool known =
      file.is_open() && write(file.get(), units.data(), units.size()) >= 0 && fstat(file.get(), &status) == 0;
  return !known || static_cast<std::uintmax_t>(status.st_size) * kUnit > limit / kLooksALimit;
}

std::uintmax_t eviction_target(std::uintmax_t limit) noexcept { return limit - limit / kLooksALimit; }

void reset_growth(const FileDescriptor& store) noexcept {
  const FileDescriptor file = open_at(store, kGrowthFile, O_WRONLY | O_TRUNC | O_NOFOLLOW);
}

}  // namespace flashbias::cache
