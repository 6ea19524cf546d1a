#pragma once

#include "cache/usage.hpp"
#include "flashbias/cache.hpp"

namespace flashbias::cache {

struct DiskStore::Shared {
  InUse in_use;
};

}  // namespace flashbias::cache
