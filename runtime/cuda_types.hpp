#pragma once

#include <array>
#include <cstddef>

#include "flashbias/kernel.hpp"

/// What is used of the CUDA driver API's types, as its reference defines them: the library builds where CUDA's headers
/// are not installed.
namespace flashbias::runtime {

using CUresult = int;
using CUdevice = int;
using CUdeviceptr = unsigned long long;
using CUcontext = struct CUctx_st*;
using CUlibrary = struct CUlib_st*;
using CUkernel = struct CUkern_st*;
using CUfunction = struct CUfunc_st*;
using CUstream = ::CUstream_st*;
using CUevent = struct CUevent_st*;
using CUgraph = struct CUgraph_st*;
using CUgraphExec = struct CUgraphExec_st*;

using CUmemoryPool = struct CUmemPoolHandle_st*;

/// Of a memory pool.
struct CUmemPoolProps {
  int allocation_type = 0;
  int handle_types = 0;
  int location_type = 0;
  int location_id = 0;
  void* security_attributes = nullptr;
  std::size_t max_size = 0;  ///< 0: as much as there is
  unsigned short usage = 0;
  std::array<unsigned char, 54> reserved{};
};

/// How the copy engine addresses a tensor; opaque.
struct alignas(64) CUtensorMap {
  std::array<unsigned char, 128> bytes;
};

// CUtensorMapDataType and the other choices of cuTensorMapEncodeTiled
inline constexpr int CU_TENSOR_MAP_DATA_TYPE_UINT8 = 0;
inline constexpr int CU_TENSOR_MAP_DATA_TYPE_UINT16 = 1;
inline constexpr int CU_TENSOR_MAP_DATA_TYPE_UINT32 = 2;
inline constexpr int CU_TENSOR_MAP_INTERLEAVE_NONE = 0;
inline constexpr int CU_TENSOR_MAP_SWIZZLE_32B = 1;
inline constexpr int CU_TENSOR_MAP_SWIZZLE_64B = 2;
inline constexpr int CU_TENSOR_MAP_SWIZZLE_128B = 3;
inline constexpr int CU_TENSOR_MAP_L2_PROMOTION_L2_256B = 3;
inline constexpr int CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE = 0;

// CUmemAllocationType, CUmemLocationType, CUmemPool_attribute
inline constexpr int CU_MEM_ALLOCATION_TYPE_PINNED = 1;
inline constexpr int CU_MEM_LOCATION_TYPE_DEVICE = 1;
inline constexpr int CU_MEMPOOL_ATTR_RELEASE_THRESHOLD = 4;

// CUresult
inline constexpr CUresult CUDA_SUCCESS = 0;
inline constexpr CUresult CUDA_ERROR_OUT_OF_MEMORY = 2;
inline constexpr CUresult CUDA_ERROR_INVALID_CONTEXT = 201;

// CUdevice_attribute
inline constexpr int CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16;
inline constexpr int CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75;
inline constexpr int CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76;
inline constexpr int CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97;

// CUfunction_attribute
inline constexpr int CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES = 3;
inline constexpr int CU_FUNC_ATTRIBUTE_NUM_REGS = 4;
inline constexpr int CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8;

// CUstreamCaptureMode
inline constexpr int CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1;

// CUstream_flags
inline constexpr unsigned CU_STREAM_NON_BLOCKING = 1;

}  // namespace flashbias::runtime
