#pragma once

// A choice of the plan: whether keys add to the gradients of queries, which then need no pass of their own.
#include "backward/shares_of_keys.cuh"
