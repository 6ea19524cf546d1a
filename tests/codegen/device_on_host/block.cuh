#pragma once

#include "block_of_key_range.cuh"
