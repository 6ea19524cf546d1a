// The CUDA driver's functions as far as runtime/driver.hpp takes them, for one device that interprets PTX. Everything
// happens at once, whatever the stream.
#include <malloc.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "runtime/cuda_types.hpp"
#include "tests/emulator/cubin_with_ptx.hpp"
#include "tests/emulator/global_memory.hpp"
#include "tests/emulator/module.hpp"
#include "tests/emulator/tensor_map.hpp"
#include "tests/emulator/thread_block.hpp"

using namespace flashbias::runtime;
namespace emulator = flashbias::emulator;

namespace flashbias::runtime {

struct CUctx_st {};
struct CUkern_st {
  const emulator::Kernel* kernel = nullptr;
};
struct CUlib_st {
  std::unique_ptr<emulator::Module> module;
  std::map<std::string, CUkern_st> kernels;
};
struct CUevent_st {
  std::chrono::steady_clock::time_point recorded;
};

}  // namespace flashbias::runtime

struct CUstream_st {};

namespace {

constexpr CUresult kInvalidValue = 1;
constexpr CUresult kOutOfMemory = 2;
constexpr CUresult kInvalidContext = 201;
constexpr CUresult kInvalidImage = 200;
constexpr CUresult kNotFound = 500;
constexpr CUresult kLaunchFailed = 719;
constexpr CUresult kNotSupported = 801;

constexpr int kMultiprocessors = 4;
constexpr int kSharedBytesABlock = 227 * 1024;
constexpr std::size_t kMemory = std::size_t{8} << 30;

CUctx_st context;
CUstream_st the_stream;
thread_local CUcontext current = nullptr;

/// A Hopper, or what FLASHBIAS_EMULATED_CAPABILITY says: 80 for compute capability 8.0.
int capability() {
  const char* text = std::getenv("FLASHBIAS_EMULATED_CAPABILITY");
  return text == nullptr ? 90 : std::atoi(text);
}

void* pointer_of(CUdeviceptr address) { return reinterpret_cast<void*>(address); }

}  // namespace

extern "C" {

CUresult cuInit(unsigned /*flags*/) {
  // The registers of warps come and go with each thread block: handing their memory back each time takes half as long
  // as running it.
  constexpr int kMost = 1 << 30;
  mallopt(M_TRIM_THRESHOLD, kMost);
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  return CUDA_SUCCESS;
}

CUresult cuDriverGetVersion(int* version) {
  *version = 13000;
  return CUDA_SUCCESS;
}

CUresult cuGetErrorName(CUresult error, const char** name) {
  *name = error == kLaunchFailed   ? "CUDA_ERROR_LAUNCH_FAILED"
          : error == kNotSupported ? "CUDA_ERROR_NOT_SUPPORTED"
                                   : "CUDA_ERROR_OF_THE_EMULATOR";
  return CUDA_SUCCESS;
}

CUresult cuGetErrorString(CUresult error, const char** text) {
  *text = error == kLaunchFailed ? "the emulator told why on standard error" : "the emulator refuses";
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int* count) {
  *count = 1;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice* device, int ordinal) {
  *device = ordinal;
  return ordinal == 0 ? CUDA_SUCCESS : kInvalidValue;
}

CUresult cuDeviceGetName(char* name, int size, CUdevice /*device*/) {
  std::snprintf(name, static_cast<std::size_t>(size), "PTX emulator");
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int* value, int attribute, CUdevice /*device*/) {
  switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
      *value = capability() / 10;
      return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
      *value = capability() % 10;
      return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
      *value = kMultiprocessors;
      return CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
      *value = kSharedBytesABlock;
      return CUDA_SUCCESS;
    default:
      return kInvalidValue;
  }
}

CUresult cuDevicePrimaryCtxRetain(CUcontext* retained, CUdevice /*device*/) {
  *retained = &context;
  return CUDA_SUCCESS;
}

CUresult cuCtxGetCurrent(CUcontext* result) {
  *result = current;
  return CUDA_SUCCESS;
}

CUresult cuCtxSetCurrent(CUcontext wanted) {
  current = wanted;
  return CUDA_SUCCESS;
}

CUresult cuCtxGetDevice(CUdevice* device) {
  *device = 0;
  return current == nullptr ? kInvalidContext : CUDA_SUCCESS;
}

CUresult cuCtxSynchronize() { return CUDA_SUCCESS; }

CUresult cuLibraryLoadData(CUlibrary* library, const void* image, int* /*jit_options*/, void** /*jit_option_values*/,
                           unsigned /*num_jit_options*/, int* /*library_options*/, void** /*library_option_values*/,
                           unsigned /*num_library_options*/) {
  const std::string_view ptx = emulator::attached_ptx(image);
  if (ptx.empty()) {
    std::fputs("emulator: the cubin carries no PTX: another compiler made it\n", stderr);
    return kInvalidImage;
  }
  try {
    auto loaded = std::make_unique<CUlib_st>();
    loaded->module = emulator::parse(ptx);
    for (const auto& [name, kernel] : loaded->module->kernels) loaded->kernels[name].kernel = &kernel;
    for (const auto& global : loaded->module->globals) emulator::global_memory().add(global->data(), global->size());
    *library = loaded.release();
    return CUDA_SUCCESS;
  } catch (const emulator::Fault& fault) {
    std::fprintf(stderr, "emulator: %s\n", fault.what());
    return kInvalidImage;
  }
}

CUresult cuLibraryUnload(CUlibrary library) {
  for (const auto& global : library->module->globals) emulator::global_memory().remove(global->data());
  const std::unique_ptr<CUlib_st> unloaded(library);
  return CUDA_SUCCESS;
}

CUresult cuLibraryGetKernel(CUkernel* kernel, CUlibrary library, const char* name) {
  const auto found = library->kernels.find(name);
  if (found == library->kernels.end()) return kNotFound;
  *kernel = &found->second;
  return CUDA_SUCCESS;
}

CUresult cuKernelGetAttribute(int* value, int /*attribute*/, CUkernel /*kernel*/, CUdevice /*device*/) {
  *value = 0;
  return CUDA_SUCCESS;
}

CUresult cuKernelSetAttribute(int /*attribute*/, int value, CUkernel /*kernel*/, CUdevice /*device*/) {
  return value <= kSharedBytesABlock ? CUDA_SUCCESS : kInvalidValue;
}

CUresult cuLaunchKernel(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                        unsigned block_y, unsigned block_z, unsigned shared_bytes, CUstream /*stream*/,
                        void** parameters, void** /*extra*/) {
  const bool is_flat = grid_y == 1 && grid_z == 1 && block_y == 1 && block_z == 1;
  const emulator::Kernel& kernel = *reinterpret_cast<CUkernel>(function)->kernel;
  if (current == nullptr) return kInvalidContext;
  if (!is_flat || grid_x == 0 || (kernel.max_threads != 0 && block_x > kernel.max_threads)) return kInvalidValue;
  try {
    emulator::run({.kernel = &kernel,
                   .blocks = grid_x,
                   .threads = block_x,
                   .shared_bytes = shared_bytes,
                   .parameters = {static_cast<const std::byte*>(parameters[0]), kernel.parameter_bytes},
                   .is_allocated = [](const void* address,
                                      std::size_t size) { return emulator::global_memory().contains(address, size); },
                   .finds_races = std::getenv("FLASHBIAS_EMULATED_RACECHECK") != nullptr});
    return CUDA_SUCCESS;
  } catch (const std::exception& fault) {
    std::fprintf(stderr, "emulator: %s\n", fault.what());
    return kLaunchFailed;
  }
}

CUresult cuTensorMapEncodeTiled(CUtensorMap* map, int data_type, unsigned rank, void* address,
                                const std::uint64_t* sizes, const std::uint64_t* strides, const unsigned* box,
                                const unsigned* /*element_strides*/, int /*interleave*/, int swizzle,
                                int /*l2_promotion*/, int /*oob_fill*/) {
  emulator::TensorMap encoded{.address = static_cast<const std::byte*>(address),
                              .element_bytes = 1U << data_type,
                              .swizzle = static_cast<emulator::Swizzle>(swizzle)};
  if (rank != encoded.sizes.size() || data_type > CU_TENSOR_MAP_DATA_TYPE_UINT32) return kNotSupported;
  std::copy_n(sizes, rank, encoded.sizes.begin());
  std::copy_n(strides, rank - 1, encoded.strides.begin());
  std::copy_n(box, rank, encoded.box.begin());
  const auto is_multiple_of_16 = [](std::uint64_t bytes) { return bytes % 16 == 0; };
  if (!std::ranges::all_of(encoded.strides, is_multiple_of_16) ||
      !is_multiple_of_16(reinterpret_cast<std::uint64_t>(address)))
    return kInvalidValue;
  static_assert(sizeof(encoded) <= sizeof(*map));
  std::memcpy(map, &encoded, sizeof(encoded));
  return CUDA_SUCCESS;
}

CUresult cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
  *free = *total = kMemory;
  return CUDA_SUCCESS;
}

CUresult cuMemAlloc_v2(CUdeviceptr* pointer, std::size_t size) {
  void* allocated = emulator::global_memory().allocate(size);
  *pointer = reinterpret_cast<CUdeviceptr>(allocated);
  return allocated == nullptr ? kOutOfMemory : CUDA_SUCCESS;
}

CUresult cuMemFree_v2(CUdeviceptr pointer) {
  return emulator::global_memory().free(pointer_of(pointer)) ? CUDA_SUCCESS : kInvalidValue;
}

CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void* from, std::size_t size) {
  if (!emulator::global_memory().contains(pointer_of(to), size)) return kInvalidValue;
  std::memcpy(pointer_of(to), from, size);
  return CUDA_SUCCESS;
}

CUresult cuMemcpyDtoH_v2(void* to, CUdeviceptr from, std::size_t size) {
  if (!emulator::global_memory().contains(pointer_of(from), size)) return kInvalidValue;
  std::memcpy(to, pointer_of(from), size);
  return CUDA_SUCCESS;
}

CUresult cuMemsetD8_v2(CUdeviceptr to, unsigned char value, std::size_t size) {
  if (!emulator::global_memory().contains(pointer_of(to), size)) return kInvalidValue;
  std::memset(pointer_of(to), value, size);
  return CUDA_SUCCESS;
}

CUresult cuMemPoolCreate(CUmemoryPool* pool, const CUmemPoolProps* /*properties*/) {
  *pool = nullptr;
  return CUDA_SUCCESS;
}

CUresult cuMemPoolSetAttribute(CUmemoryPool /*pool*/, int /*attribute*/, void* /*value*/) { return CUDA_SUCCESS; }

CUresult cuMemAllocFromPoolAsync(CUdeviceptr* pointer, std::size_t size, CUmemoryPool /*pool*/, CUstream /*stream*/) {
  return cuMemAlloc_v2(pointer, size);
}

CUresult cuMemFreeAsync(CUdeviceptr pointer, CUstream /*stream*/) { return cuMemFree_v2(pointer); }

CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, std::size_t size, CUstream /*stream*/) {
  return cuMemsetD8_v2(to, value, size);
}

CUresult cuStreamCreate(CUstream* stream, unsigned /*flags*/) {
  *stream = &the_stream;
  return CUDA_SUCCESS;
}
CUresult cuStreamDestroy_v2(CUstream /*stream*/) { return CUDA_SUCCESS; }
CUresult cuStreamSynchronize(CUstream /*stream*/) { return CUDA_SUCCESS; }

// The host's time: it tells how long the emulator took.
CUresult cuEventCreate(CUevent* event, unsigned /*flags*/) {
  *event = std::make_unique<CUevent_st>().release();
  return CUDA_SUCCESS;
}
CUresult cuEventDestroy_v2(CUevent event) {
  const std::unique_ptr<CUevent_st> destroyed(event);
  return CUDA_SUCCESS;
}
CUresult cuEventRecord(CUevent event, CUstream /*stream*/) {
  event->recorded = std::chrono::steady_clock::now();
  return CUDA_SUCCESS;
}
CUresult cuEventSynchronize(CUevent /*event*/) { return CUDA_SUCCESS; }
CUresult cuEventElapsedTime(float* milliseconds, CUevent start, CUevent end) {
  *milliseconds = std::chrono::duration<float, std::milli>(end->recorded - start->recorded).count();
  return CUDA_SUCCESS;
}

// Graphs are recorded by no one.
CUresult cuStreamBeginCapture_v2(CUstream /*stream*/, int /*mode*/) { return kNotSupported; }
CUresult cuStreamEndCapture(CUstream /*stream*/, CUgraph* /*graph*/) { return kNotSupported; }
CUresult cuGraphInstantiateWithFlags(CUgraphExec* /*executable*/, CUgraph /*graph*/, unsigned long long /*flags*/) {
  return kNotSupported;
}
CUresult cuGraphLaunch(CUgraphExec /*executable*/, CUstream /*stream*/) { return kNotSupported; }
CUresult cuGraphExecDestroy(CUgraphExec /*executable*/) { return kNotSupported; }
CUresult cuGraphDestroy(CUgraph /*graph*/) { return kNotSupported; }

}  // extern "C"
