#pragma once

/// Everything. `flashbias::jit::get(config)` is the place to start.

#include "flashbias/bias.hpp"
#include "flashbias/cache.hpp"
#include "flashbias/config.hpp"
#include "flashbias/cubin.hpp"
#include "flashbias/decompose.hpp"
#include "flashbias/device_buffer.hpp"
#include "flashbias/doctor.hpp"
#include "flashbias/error.hpp"
#include "flashbias/jit.hpp"
#include "flashbias/kernel.hpp"
#include "flashbias/lowering.hpp"
#include "flashbias/main_loop.hpp"
#include "flashbias/pack.hpp"
#include "flashbias/plan.hpp"
#include "flashbias/source.hpp"
#include "flashbias/tensor.hpp"
#include "flashbias/tile_shape.hpp"
#include "flashbias/tuning.hpp"
#include "flashbias/types.hpp"
#include "flashbias/version.hpp"
