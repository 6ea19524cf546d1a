#pragma once

// A choice of the plan, one of the two: what a bias may do in its main loop.
#include "hopper/hooks.cuh"
#include "portable_hooks.cuh"

struct MainLoopHooks : PortableHooks, HopperHooks {};
