#pragma once

// A choice of the plan: how the ones that sum probabilities are multiplied together with the values.
#include "hopper/ones_behind_values.cuh"
