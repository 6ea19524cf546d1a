#pragma once

#include <functional>

struct CUstream_st;

namespace flashbias::tools {

/// Median time of a launch on the default stream, measured with events after one that warms up; about 0.2 s in all.
[[nodiscard]] double median_milliseconds(const std::function<void(CUstream_st* stream)>& launch);

}  // namespace flashbias::tools
