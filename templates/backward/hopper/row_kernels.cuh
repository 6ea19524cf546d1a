#pragma once

// Threads of the kernels that treat rows of queries one by one, before and behind the passes.
constexpr int kRowKernelThreads = 256;
