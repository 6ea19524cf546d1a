#pragma once

// A choice of the plan: who works on what.
#include "hopper/longest_with_shortest.cuh"
