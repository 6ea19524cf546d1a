#pragma once

// What this thread wrote to shared memory may now be read, or overwritten, by the copy engine and by wgmma, once they
// are told to.
__device__ __forceinline__ void publish_to_async_proxy() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
