#pragma once

// A choice of the plan: the element types of the bias' inputs, each with its value: an integer for integer types, else
// a float.
#include "input_bf16.cuh"
#include "input_f16.cuh"
#include "input_f32.cuh"
#include "input_i32.cuh"
#include "input_u8.cuh"
