#pragma once

// A choice of the plan: the element type of q, k, v and the output.
#include "element_f16.cuh"
