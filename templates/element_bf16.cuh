#pragma once

#include "bf16.cuh"

using Element = Bf16;

// bf16 has the range of f32: probabilities need no room below 1.
constexpr float kProbabilityShift = 0.0f;
