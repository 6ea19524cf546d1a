#pragma once

// A choice of the plan: the type of the numbers of q, k, v and their gradients.
#include "config.cuh"
#include "input_f16.cuh"

using Number = f16;
