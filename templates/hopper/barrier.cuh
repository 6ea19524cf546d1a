#pragma once

#include "ptx.cuh"

// A barrier in shared memory that counts arrivals and, where expected, bytes of copies. Phases alternate between
// parities 0 and 1.
struct Barrier {
  unsigned long long state;

  __device__ __forceinline__ void init(u32 arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(&state)), "r"(arrivals) : "memory");
  }
  __device__ __forceinline__ void arrive() {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(&state)) : "memory");
  }
  __device__ __forceinline__ void arrive_and_expect(u32 bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(&state)), "r"(bytes)
                 : "memory");
  }
  // Whether the phase of that parity has ended.
  __device__ __forceinline__ bool has_ended(u32 parity) {
    u32 ended;
    asm volatile(
        "{\n"
        ".reg .pred ended;\n"
        "mbarrier.test_wait.parity.shared::cta.b64 ended, [%1], %2;\n"
        "selp.u32 %0, 1, 0, ended;\n"
        "}"
        : "=r"(ended)
        : "r"(shared_address(&state)), "r"(parity)
        : "memory");
    return ended != 0;
  }
  // Waits for the end of the phase of that parity; that of the phase before the first is 1, and has ended.
  __device__ __forceinline__ void wait(u32 parity) {
    asm volatile(
        "{\n"
        ".reg .pred done;\n"
        "wait:\n"
        "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
        "@!done bra wait;\n"
        "}" ::"r"(shared_address(&state)),
        "r"(parity)
        : "memory");
  }
};

// Makes initialised barriers known to the copy engine.
__device__ __forceinline__ void publish_barriers() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

// A ring of slots in shared memory that a producer fills and consumers empty: each of their threads arrives once it has
// read, which costs no more than that one lane of a warp arrives for all, and orders what it read for race detectors,
// too.
template <int Slots>
struct Ring {
  Barrier full[Slots], empty[Slots];

  __device__ void init(u32 producers, u32 consumers) {
    for (int slot = 0; slot < Slots; ++slot) {
      full[slot].init(producers);
      empty[slot].init(consumers);
    }
  }
};

// Where a thread is in a ring.
template <int Slots>
struct RingPosition {
  int slot = 0;
  u32 parity = 0;

  __device__ __forceinline__ void advance() {
    if (++slot == Slots) {
      slot = 0;
      parity ^= 1;
    }
  }
};
