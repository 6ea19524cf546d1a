#include "tests/driver/fake_driver.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <string_view>

#include "flashbias/source.hpp"

using namespace flashbias;
using namespace flashbias::runtime;
using testing::RecordedLaunch;

// The handles that the driver's API leaves opaque.
namespace flashbias::runtime {
struct CUctx_st {
  CUdevice device;
};
struct CUlib_st {};
struct CUkern_st {};
}  // namespace flashbias::runtime

namespace {

constexpr CUresult kInvalidValue = 1;    // CUDA_ERROR_INVALID_VALUE
constexpr CUresult kInvalidImage = 200;  // CUDA_ERROR_INVALID_IMAGE
constexpr CUresult kInvalidContext = CUDA_ERROR_INVALID_CONTEXT;
constexpr CUresult kLaunchFailed = 719;  // CUDA_ERROR_LAUNCH_FAILED
constexpr CUresult kNotFound = 500;      // CUDA_ERROR_NOT_FOUND
constexpr CUresult kNotSupported = 801;  // CUDA_ERROR_NOT_SUPPORTED

struct ComputeCapability {
  int major;
  int minor;
};
constexpr std::array<ComputeCapability, 4> kDevices{
    {{9, 0}, {7, 5}, {8, 0}, {9, 0}}};  // kHopper, kTuring, kAmpere, kSecondHopper

std::array<CUctx_st, kDevices.size()> contexts{{{0}, {1}, {2}, {3}}};
thread_local CUcontext current = nullptr;
CUlib_st the_library;
CUkern_st the_kernel;

std::atomic<bool> memory_is_full = false;
std::atomic<bool> context_is_broken = false;
std::atomic<int> buffers = 0;

std::mutex mutex;  // of what follows
std::atomic<bool> is_recording = false;
std::vector<std::string> recorded_calls;
RecordedLaunch recorded_launch;

void record(const char* function) {
  if (!is_recording) return;
  const std::lock_guard lock(mutex);
  recorded_calls.emplace_back(function);
}

bool is_device(CUdevice device) { return device >= 0 && static_cast<std::size_t>(device) < kDevices.size(); }

CUresult unsupported(const char* function) {
  record(function);
  return kNotSupported;
}

}  // namespace

namespace flashbias::testing {

RecordedCalls::RecordedCalls() {
  const std::lock_guard lock(mutex);
  recorded_calls.clear();
  is_recording = true;
}

RecordedCalls::~RecordedCalls() { is_recording = false; }

std::vector<std::string> RecordedCalls::names() const {
  const std::lock_guard lock(mutex);
  return recorded_calls;
}

int RecordedCalls::count(const std::string& name) const { return static_cast<int>(std::ranges::count(names(), name)); }

RecordedLaunch last_launch() {
  const std::lock_guard lock(mutex);
  return recorded_launch;
}

CurrentDevice::CurrentDevice(int device) { current = &contexts.at(static_cast<std::size_t>(device)); }

CurrentDevice::~CurrentDevice() { current = nullptr; }

MemoryIsFull::MemoryIsFull() { memory_is_full = true; }

MemoryIsFull::~MemoryIsFull() { memory_is_full = false; }

BrokenContext::BrokenContext() { context_is_broken = true; }

BrokenContext::~BrokenContext() { context_is_broken = false; }

int allocated_buffers() { return buffers; }

}  // namespace flashbias::testing

extern "C" {

CUresult cuInit(unsigned /*flags*/) {
  record(__func__);
  return CUDA_SUCCESS;
}

CUresult cuDriverGetVersion(int* version) {
  record(__func__);
  *version = 13000;
  return CUDA_SUCCESS;
}

CUresult cuGetErrorName(CUresult error, const char** name) {
  *name = error == kInvalidContext ? "CUDA_ERROR_INVALID_CONTEXT" : "CUDA_ERROR_OF_A_FAKE";
  return CUDA_SUCCESS;
}

CUresult cuGetErrorString(CUresult /*error*/, const char** text) {
  *text = "the fake driver refuses";
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int* count) {
  record(__func__);
  *count = static_cast<int>(kDevices.size());
  return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice* device, int ordinal) {
  record(__func__);
  *device = ordinal;
  return is_device(ordinal) ? CUDA_SUCCESS : kInvalidValue;
}

CUresult cuDeviceGetName(char* name, int size, CUdevice /*device*/) {
  record(__func__);
  std::strncpy(name, "fake GPU", static_cast<std::size_t>(size));
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int* value, int attribute, CUdevice device) {
  record(__func__);
  if (!is_device(device)) return kInvalidValue;
  const auto [major, minor] = kDevices[static_cast<std::size_t>(device)];
  if (attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) {
    *value = major;
  } else if (attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR) {
    *value = minor;
  } else if (attribute == CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT) {
    *value = testing::kMultiprocessors;
  } else {
    return kInvalidValue;
  }
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
  record(__func__);
  if (!is_device(device)) return kInvalidValue;
  *context = &contexts[static_cast<std::size_t>(device)];
  return CUDA_SUCCESS;
}

CUresult cuCtxGetCurrent(CUcontext* context) {
  record(__func__);
  *context = current;
  return CUDA_SUCCESS;
}

CUresult cuCtxSetCurrent(CUcontext context) {
  record(__func__);
  current = context;
  return CUDA_SUCCESS;
}

CUresult cuCtxGetDevice(CUdevice* device) {
  record(__func__);
  if (context_is_broken) return kLaunchFailed;
  if (current == nullptr) return kInvalidContext;
  *device = current->device;
  return CUDA_SUCCESS;
}

CUresult cuLibraryLoadData(CUlibrary* library, const void* image, int* /*jit_options*/, void** /*jit_option_values*/,
                           unsigned /*num_jit_options*/, int* /*library_options*/, void** /*library_option_values*/,
                           unsigned /*num_library_options*/) {
  record(__func__);
  if (std::memcmp(image,
                  "\x7f"
                  "ELF",
                  4) != 0)
    return kInvalidImage;
  *library = &the_library;
  return CUDA_SUCCESS;
}

CUresult cuLibraryUnload(CUlibrary /*library*/) {
  record(__func__);
  return CUDA_SUCCESS;
}

CUresult cuLibraryGetKernel(CUkernel* kernel, CUlibrary library, const char* name) {
  record(__func__);
  const std::string_view wanted(name);
  const bool is_known = wanted == kernel_name(Direction::forward) || wanted == kernel_name(Direction::backward) ||
                        wanted == kStatisticsKernelName || wanted == kSumsKernelName;
  if (library != &the_library || !is_known) return kNotFound;
  *kernel = &the_kernel;
  return CUDA_SUCCESS;
}

CUresult cuKernelSetAttribute(int attribute, int /*value*/, CUkernel kernel, CUdevice device) {
  record(__func__);
  const bool is_known = attribute == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES && kernel == &the_kernel;
  return is_known && is_device(device) ? CUDA_SUCCESS : kInvalidValue;
}

CUresult cuLaunchKernel(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                        unsigned block_y, unsigned block_z, unsigned shared_bytes, CUstream stream, void** parameters,
                        void** extra) {
  record(__func__);
  if (current == nullptr) return kInvalidContext;
  const bool is_flat = grid_y == 1 && grid_z == 1 && block_y == 1 && block_z == 1;
  if (function != reinterpret_cast<CUfunction>(&the_kernel) || !is_flat || extra != nullptr) return kInvalidValue;
  const std::lock_guard lock(mutex);
  recorded_launch = {.blocks = grid_x, .threads = block_x, .shared_bytes = shared_bytes, .stream = stream};
  std::memcpy(recorded_launch.parameters.data(), parameters[0], recorded_launch.parameters.size());
  return CUDA_SUCCESS;
}

CUresult cuTensorMapEncodeTiled(CUtensorMap* map, int /*data_type*/, unsigned rank, void* address,
                                const std::uint64_t* sizes, const std::uint64_t* strides, const unsigned* box,
                                const unsigned* /*element_strides*/, int /*interleave*/, int swizzle,
                                int /*l2_promotion*/, int /*oob_fill*/) {
  record(__func__);
  if (rank != 4) return kInvalidValue;
  testing::EncodedTensorMap encoded{.address = address, .swizzle = swizzle};
  std::copy_n(sizes, rank, encoded.sizes.begin());
  std::copy_n(strides, rank - 1, encoded.strides.begin());
  std::copy_n(box, rank, encoded.box.begin());
  static_assert(sizeof(encoded) <= sizeof(*map));
  std::memset(map, 0, sizeof(*map));
  std::memcpy(map, &encoded, sizeof(encoded));
  return CUDA_SUCCESS;
}

/// There is no memory to set.
CUresult cuMemsetD8Async(CUdeviceptr /*to*/, unsigned char /*value*/, std::size_t /*size*/, CUstream /*stream*/) {
  record(__func__);
  return current == nullptr ? kInvalidContext : CUDA_SUCCESS;
}

/// Nobody looks at what is allocated.
CUresult cuMemPoolCreate(CUmemoryPool* pool, const CUmemPoolProps* properties) {
  record(__func__);
  *pool = reinterpret_cast<CUmemoryPool>(&the_kernel);
  return is_device(properties->location_id) ? CUDA_SUCCESS : kInvalidValue;
}
CUresult cuMemPoolSetAttribute(CUmemoryPool /*pool*/, int /*attribute*/, void* /*value*/) { return CUDA_SUCCESS; }
CUresult cuMemAllocFromPoolAsync(CUdeviceptr* pointer, std::size_t /*size*/, CUmemoryPool /*pool*/,
                                 CUstream /*stream*/) {
  record(__func__);
  if (memory_is_full) return CUDA_ERROR_OUT_OF_MEMORY;
  *pointer = CUdeviceptr{1} << 20;
  return current == nullptr ? kInvalidContext : CUDA_SUCCESS;
}
CUresult cuMemAlloc_v2(CUdeviceptr* pointer, std::size_t /*size*/) {
  record(__func__);
  if (current == nullptr) return kInvalidContext;
  ++buffers;
  *pointer = CUdeviceptr{1} << 20;
  return CUDA_SUCCESS;
}
CUresult cuMemFree_v2(CUdeviceptr /*pointer*/) {
  record(__func__);
  if (current == nullptr) return kInvalidContext;
  --buffers;
  return CUDA_SUCCESS;
}
CUresult cuMemsetD8_v2(CUdeviceptr /*to*/, unsigned char /*value*/, std::size_t /*size*/) {
  record(__func__);
  return current == nullptr ? kInvalidContext : CUDA_SUCCESS;
}
CUresult cuMemcpyDtoH_v2(void* /*to*/, CUdeviceptr /*from*/, std::size_t /*size*/) {
  record(__func__);
  return current == nullptr ? kInvalidContext : CUDA_SUCCESS;
}
CUresult cuMemFreeAsync(CUdeviceptr /*pointer*/, CUstream /*stream*/) {
  record(__func__);
  return CUDA_SUCCESS;
}

// What no test here calls: the arguments do not matter then.
CUresult cuCtxSynchronize() { return unsupported(__func__); }
CUresult cuKernelGetAttribute() { return unsupported(__func__); }
CUresult cuMemGetInfo_v2() { return unsupported(__func__); }
CUresult cuMemcpyHtoD_v2() { return unsupported(__func__); }
CUresult cuStreamCreate() { return unsupported(__func__); }
CUresult cuStreamDestroy_v2() { return unsupported(__func__); }
CUresult cuStreamSynchronize() { return unsupported(__func__); }
CUresult cuStreamBeginCapture_v2() { return unsupported(__func__); }
CUresult cuStreamEndCapture() { return unsupported(__func__); }
CUresult cuEventCreate() { return unsupported(__func__); }
CUresult cuEventDestroy_v2() { return unsupported(__func__); }
CUresult cuEventRecord() { return unsupported(__func__); }
CUresult cuEventSynchronize() { return unsupported(__func__); }
CUresult cuEventElapsedTime() { return unsupported(__func__); }
CUresult cuGraphInstantiateWithFlags() { return unsupported(__func__); }
CUresult cuGraphLaunch() { return unsupported(__func__); }
CUresult cuGraphExecDestroy() { return unsupported(__func__); }
CUresult cuGraphDestroy() { return unsupported(__func__); }

}  // extern "C"
