#pragma once

// A choice of the plan: where the queries are while the keys pass by.
#include "shared_rows.cuh"

using QueryRows = SharedRows<kHeadDim>;
