#pragma once

#include "config.cuh"
#include "hopper/swizzled_tile.cuh"

using ValueTile = SwizzledTile<kBlockK, kHeadDimV>;
