/* The C API of flashbias: DLPack tensors, configs as text, the caller's stream.
 *
 * Every function returns 0 on success and a nonzero flashbias_status on failure; the reason is then
 * flashbias_last_error(), kept per thread. */
#ifndef FLASHBIAS_FLASHBIAS_H
#define FLASHBIAS_FLASHBIAS_H

/* NOLINTBEGIN(modernize-deprecated-headers, modernize-use-using): this is C */

#include <dlpack/dlpack.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum flashbias_status {
  FLASHBIAS_OK = 0,
  FLASHBIAS_INVALID_CONFIG = 1,
  FLASHBIAS_INVALID_ARGUMENT = 2,
  FLASHBIAS_PARSE = 3,
  FLASHBIAS_UNSUPPORTED_DEVICE = 4,
  FLASHBIAS_COMPILER_MISSING = 5,
  FLASHBIAS_DRIVER_MISSING = 6,
  FLASHBIAS_COMPILE_FAILED = 7,
  FLASHBIAS_CUDA = 8,
  FLASHBIAS_CACHE = 9,
  FLASHBIAS_IO = 10,
  FLASHBIAS_INTERNAL = 11,
  FLASHBIAS_NOT_PRECOMPILED = 12
} flashbias_status;

/* A kernel handle; free with flashbias_kernel_free. Safe to use from many threads. */
typedef struct flashbias_kernel flashbias_kernel;

/* A bias input: the name in the expression and its tensor. */
typedef struct flashbias_input {
  const char* name;
  const DLTensor* tensor;
} flashbias_input;

/* Operands of one call; shapes, dtypes and strides as AttentionArguments in flashbias/kernel.hpp.
 * log_sum_exp: NULL unless the config asks for it. softmax_scale: 0 for 1 / sqrt(head_dim). */
typedef struct flashbias_arguments {
  const DLTensor* q;
  const DLTensor* k;
  const DLTensor* v;
  const DLTensor* out;
  const DLTensor* log_sum_exp;
  const flashbias_input* bias_inputs;
  size_t num_bias_inputs;
  float softmax_scale;
} flashbias_arguments;

/* A gradient: `q`, `k`, `v` or the name of a bias input, and the tensor that it is written to. */
typedef struct flashbias_gradient {
  const char* name;
  const DLTensor* tensor;
} flashbias_gradient;

/* Operands of one call of a kernel for gradients (direction=backward); shapes, dtypes and strides as BackwardArguments
 * in flashbias/kernel.hpp. out, log_sum_exp and softmax_scale are those of the forward pass, d_out is the gradient of
 * out. gradients: exactly those that the config asks for, in any order; f32 and contiguous for bias inputs. */
typedef struct flashbias_backward_arguments {
  const DLTensor* q;
  const DLTensor* k;
  const DLTensor* v;
  const DLTensor* out;
  const DLTensor* log_sum_exp;
  const DLTensor* d_out;
  const flashbias_input* bias_inputs;
  size_t num_bias_inputs;
  const flashbias_gradient* gradients;
  size_t num_gradients;
  float softmax_scale;
} flashbias_backward_arguments;

/* What became of the kernels that this process asked for; see jit::Counters in flashbias/jit.hpp. */
typedef struct flashbias_counters {
  unsigned long long memory_hits;
  unsigned long long pack_hits;
  unsigned long long disk_hits;
  unsigned long long compiles;
  unsigned long long failures;
  double compile_ms;
} flashbias_counters;

/* "major.minor.patch" */
const char* flashbias_version(void);

/* Message of this thread's last failure; "" if none. Valid until the thread's next failing call. */
const char* flashbias_last_error(void);

/* Kernel for a config's canonical text (see `flashbias explain`); absent fields take their defaults. On
 * failure *kernel is NULL. */
int flashbias_get(const char* config, flashbias_kernel** kernel);
void flashbias_kernel_free(flashbias_kernel* kernel);

/* Enqueues on `stream` (a CUstream or cudaStream_t; NULL: the legacy default stream). */
int flashbias_launch(const flashbias_kernel* kernel, const flashbias_arguments* arguments, void* stream);

/* The same of a kernel for gradients; those of bias inputs are zeroed on the stream first. */
int flashbias_launch_backward(const flashbias_kernel* kernel, const flashbias_backward_arguments* arguments,
                              void* stream);

/* The kernel's plan as text, and its cache key; valid as long as the kernel. NULL where that fails. */
const char* flashbias_kernel_explain(const flashbias_kernel* kernel);
const char* flashbias_kernel_key(const flashbias_kernel* kernel);

int flashbias_get_counters(flashbias_counters* counters);

#ifdef __cplusplus
}
#endif

/* NOLINTEND(modernize-deprecated-headers, modernize-use-using) */

#endif /* FLASHBIAS_FLASHBIAS_H */
