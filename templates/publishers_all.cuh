#pragma once

#include "config.cuh"

// The threads that evaluate what the bias needs of a tile of keys: all, for the next tile while they work on this one.
constexpr int kPublishers = kThreads;
constexpr int kPublishedTiles = 2;

__device__ __forceinline__ int publisher() { return static_cast<int>(threadIdx.x); }
