#pragma once

// A choice of the plan: which threads evaluate what the bias needs of a tile of keys.
#include "publishers_all.cuh"
