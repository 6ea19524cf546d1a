#pragma once

// A choice of the plan, written by the generator from the bias expression and its derivatives.
#include "backward/no_bias.cuh"
