#pragma once

#include "f16.cuh"

using Element = F16;

// Probabilities are kept 2^8 times too large (the sum is, too): f16 is exact to 2^-11 only from 2^-14 on, and small
// probabilities are many.
constexpr float kProbabilityShift = 8.0f;
