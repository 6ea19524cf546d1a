#pragma once

#include "config.cuh"

// The threads that evaluate what the bias needs of a tile of keys: two warps that have nothing else to do, as many
// tiles ahead as there are stages.
constexpr int kPublishers = 64;
constexpr int kFirstPublisher = kThreads + 64;
constexpr int kPublishedTiles = kStages;

__device__ __forceinline__ int publisher() { return static_cast<int>(threadIdx.x) - kFirstPublisher; }
