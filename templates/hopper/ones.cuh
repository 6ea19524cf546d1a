#pragma once

// A choice of the plan: whether the ones that sum probabilities are multiplied together with the values.
#include "hopper/ones_behind_values.cuh"
