#pragma once

#include "publishers.cuh"

// The keys of a tile that each publisher evaluates, the last of which may lie beyond it.
constexpr int kKeysPerPublisher = (kBlockK + kPublishers - 1) / kPublishers;

__device__ __forceinline__ int published_key(int i) { return publisher() + i * kPublishers; }
