#pragma once

// A choice of the plan: the 16-bit type of the parts that factors are split into.
#include "f16.cuh"
#include "input_f16.cuh"

using Part = F16;
using PartNumber = f16;
