#pragma once

// A choice of the plan: which keys a thread block walks over.
#include "block_of_first_keys.cuh"
