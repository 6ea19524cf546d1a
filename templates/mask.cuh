#pragma once

// A choice of the plan: which keys a query sees.
#include "mask_causal.cuh"
