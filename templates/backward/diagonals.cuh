#pragma once

// A choice of the plan: whether a part of the bias is computed once for each diagonal.
#include "backward/diagonals_none.cuh"
