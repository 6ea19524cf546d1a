#pragma once

// A choice of the plan: what is written of a row besides its output.
#include "row_log_sum_exp.cuh"
