#pragma once

#include "element.cuh"

// What undoes the shift of probabilities.
constexpr float kShiftBack = 1.0f / static_cast<float>(1 << static_cast<int>(kProbabilityShift));
