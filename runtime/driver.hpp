#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/cuda_types.hpp"
#include "runtime/dynamic_library.hpp"
#include "runtime/library_search.hpp"

namespace flashbias::runtime {

/// The CUDA driver, opened at run time: see driver_candidates for where it is looked for. Its functions are members,
/// named and declared as in the driver API's reference.
class Driver {
 public:
  /// The driver, opened and initialised once a process. Thread-safe. Throws Error(driver_missing) where there is none
  /// or only one older than CUDA 12.0, Error(cuda) where it does not initialise (there is no GPU, for one).
  [[nodiscard]] static const Driver& get();

  /// Opens the first candidate that serves, without initialising it. Throws Error(driver_missing).
  [[nodiscard]] static Driver open(const std::vector<Candidate>& candidates);

  /// The file that was opened.
  [[nodiscard]] std::filesystem::path path() const { return library_.path(); }

  /// Throws Error(cuda): `could not <attempt>: CUDA_ERROR_... (its text)`, unless the result is success.
  void check(CUresult result, std::string_view attempt) const {
    if (result != CUDA_SUCCESS) fail(result, attempt);
  }

 private:
  explicit Driver(DynamicLibrary library) : library_(std::move(library)) {}
  [[noreturn]] void fail(CUresult result, std::string_view attempt) const;

  DynamicLibrary library_;

 public:
  CUresult (*cuInit)(unsigned flags) = library_.symbol("cuInit");
  CUresult (*cuDriverGetVersion)(int* version) = library_.symbol("cuDriverGetVersion");
  CUresult (*cuGetErrorName)(CUresult error, const char** name) = library_.symbol("cuGetErrorName");
  CUresult (*cuGetErrorString)(CUresult error, const char** text) = library_.symbol("cuGetErrorString");

  CUresult (*cuDeviceGetCount)(int* count) = library_.symbol("cuDeviceGetCount");
  CUresult (*cuDeviceGet)(CUdevice* device, int ordinal) = library_.symbol("cuDeviceGet");
  CUresult (*cuDeviceGetName)(char* name, int size, CUdevice device) = library_.symbol("cuDeviceGetName");
  CUresult (*cuDeviceGetAttribute)(int* value, int attribute,
                                   CUdevice device) = library_.symbol("cuDeviceGetAttribute");
  CUresult (*cuDevicePrimaryCtxRetain)(CUcontext* context,
                                       CUdevice device) = library_.symbol("cuDevicePrimaryCtxRetain");

  CUresult (*cuCtxGetCurrent)(CUcontext* context) = library_.symbol("cuCtxGetCurrent");
  CUresult (*cuCtxSetCurrent)(CUcontext context) = library_.symbol("cuCtxSetCurrent");
  CUresult (*cuCtxGetDevice)(CUdevice* device) = library_.symbol("cuCtxGetDevice");
  CUresult (*cuCtxSynchronize)() = library_.symbol("cuCtxSynchronize");

  CUresult (*cuLibraryLoadData)(CUlibrary* library, const void* image, int* jit_options, void** jit_option_values,
                                unsigned num_jit_options, int* library_options, void** library_option_values,
                                unsigned num_library_options) = library_.symbol("cuLibraryLoadData");
  CUresult (*cuLibraryUnload)(CUlibrary library) = library_.symbol("cuLibraryUnload");
  CUresult (*cuLibraryGetKernel)(CUkernel* kernel, CUlibrary library,
                                 const char* name) = library_.symbol("cuLibraryGetKernel");
  CUresult (*cuKernelGetAttribute)(int* value, int attribute, CUkernel kernel,
                                   CUdevice device) = library_.symbol("cuKernelGetAttribute");
  CUresult (*cuKernelSetAttribute)(int attribute, int value, CUkernel kernel,
                                   CUdevice device) = library_.symbol("cuKernelSetAttribute");
  /// A CUkernel may be given as the function, cast: it then runs in the current context.
  CUresult (*cuLaunchKernel)(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                             unsigned block_y, unsigned block_z, unsigned shared_bytes, CUstream stream,
                             void** parameters, void** extra) = library_.symbol("cuLaunchKernel");

  CUresult (*cuTensorMapEncodeTiled)(CUtensorMap* map, int data_type, unsigned rank, void* address,
                                     const std::uint64_t* sizes, const std::uint64_t* strides, const unsigned* box,
                                     const unsigned* element_strides, int interleave, int swizzle, int l2_promotion,
                                     int oob_fill) = library_.symbol("cuTensorMapEncodeTiled");

  CUresult (*cuMemGetInfo)(std::size_t* free, std::size_t* total) = library_.symbol("cuMemGetInfo_v2");
  CUresult (*cuMemAlloc)(CUdeviceptr* pointer, std::size_t size) = library_.symbol("cuMemAlloc_v2");
  CUresult (*cuMemFree)(CUdeviceptr pointer) = library_.symbol("cuMemFree_v2");
  CUresult (*cuMemcpyHtoD)(CUdeviceptr to, const void* from, std::size_t size) = library_.symbol("cuMemcpyHtoD_v2");
  CUresult (*cuMemcpyDtoH)(void* to, CUdeviceptr from, std::size_t size) = library_.symbol("cuMemcpyDtoH_v2");
  CUresult (*cuMemsetD8)(CUdeviceptr to, unsigned char value, std::size_t size) = library_.symbol("cuMemsetD8_v2");

  CUresult (*cuMemsetD8Async)(CUdeviceptr to, unsigned char value, std::size_t size,
                              CUstream stream) = library_.symbol("cuMemsetD8Async");

  CUresult (*cuMemPoolCreate)(CUmemoryPool* pool,
                              const CUmemPoolProps* properties) = library_.symbol("cuMemPoolCreate");
  CUresult (*cuMemPoolSetAttribute)(CUmemoryPool pool, int attribute,
                                    void* value) = library_.symbol("cuMemPoolSetAttribute");
  CUresult (*cuMemAllocFromPoolAsync)(CUdeviceptr* pointer, std::size_t size, CUmemoryPool pool,
                                      CUstream stream) = library_.symbol("cuMemAllocFromPoolAsync");
  CUresult (*cuMemFreeAsync)(CUdeviceptr pointer, CUstream stream) = library_.symbol("cuMemFreeAsync");

  CUresult (*cuStreamCreate)(CUstream* stream, unsigned flags) = library_.symbol("cuStreamCreate");
  CUresult (*cuStreamDestroy)(CUstream stream) = library_.symbol("cuStreamDestroy_v2");
  CUresult (*cuStreamSynchronize)(CUstream stream) = library_.symbol("cuStreamSynchronize");
  CUresult (*cuStreamBeginCapture)(CUstream stream, int mode) = library_.symbol("cuStreamBeginCapture_v2");
  CUresult (*cuStreamEndCapture)(CUstream stream, CUgraph* graph) = library_.symbol("cuStreamEndCapture");

  CUresult (*cuEventCreate)(CUevent* event, unsigned flags) = library_.symbol("cuEventCreate");
  CUresult (*cuEventDestroy)(CUevent event) = library_.symbol("cuEventDestroy_v2");
  CUresult (*cuEventRecord)(CUevent event, CUstream stream) = library_.symbol("cuEventRecord");
  CUresult (*cuEventSynchronize)(CUevent event) = library_.symbol("cuEventSynchronize");
  CUresult (*cuEventElapsedTime)(float* milliseconds, CUevent start,
                                 CUevent end) = library_.symbol("cuEventElapsedTime");

  CUresult (*cuGraphInstantiateWithFlags)(CUgraphExec* executable, CUgraph graph,
                                          unsigned long long flags) = library_.symbol("cuGraphInstantiateWithFlags");
  CUresult (*cuGraphLaunch)(CUgraphExec executable, CUstream stream) = library_.symbol("cuGraphLaunch");
  CUresult (*cuGraphExecDestroy)(CUgraphExec executable) = library_.symbol("cuGraphExecDestroy");
  CUresult (*cuGraphDestroy)(CUgraph graph) = library_.symbol("cuGraphDestroy");
};

}  // namespace flashbias::runtime
