#pragma once

// A choice of the plan: where the output is gathered on its way out.
#include "hopper/output_beside_queries.cuh"
