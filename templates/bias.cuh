#pragma once

// A choice of the plan, written by the generator from the bias expression.
#include "no_bias.cuh"

using Bias = NoBias;
