#pragma once

// A choice of the plan: whether keys add to the gradients of queries on their way along these.
#include "backward/hopper/walk_and_share.cuh"
