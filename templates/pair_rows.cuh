#pragma once

#include "block.cuh"
#include "fragments.cuh"
#include "input.cuh"

template <int Bytes>
struct Vector;
template <>
struct Vector<2> {
  using Type = u16;
};
template <>
struct Vector<4> {
  using Type = u32;
};
template <>
struct Vector<8> {
  using Type = uint2;
};

// The rows of a [.., Nq, Nk] input that this lane's scores belong to.
template <class T>
struct PairRows {
  using Value = decltype(value_of(T{}));

  const T* rows[kRowSlots];
  int last;      // key
  bool aligned;  // two neighbours may be read as one

  __device__ PairRows(const Input<T>& input, const Parameters& p, const Block& block) : last(p.kv_length - 1) {
#pragma unroll
    for (int slot = 0; slot < kRowSlots; ++slot)
      rows[slot] = input.row(block.batch, block.head, min(block.q_start + row_of_slot(slot), p.q_length - 1));
    const i64 address = reinterpret_cast<i64>(input.row(block.batch, block.head, 0));
    aligned = ((address | (input.row_stride * static_cast<i64>(sizeof(T)))) & (2 * sizeof(T) - 1)) == 0;
  }

  // Values at an even key and the next; beyond the last key, any value.
  __device__ __forceinline__ void read(Value (&pair)[2], int slot, int kv_index) const {
    T values[2];
    if (aligned && kv_index < last) {
      using Both = typename Vector<2 * sizeof(T)>::Type;
      const Both both = *reinterpret_cast<const Both*>(rows[slot] + kv_index);
      memcpy(values, &both, sizeof(both));
    } else {
      values[0] = rows[slot][min(kv_index, last)];
      values[1] = rows[slot][min(kv_index + 1, last)];
    }
    pair[0] = value_of(values[0]);
    pair[1] = value_of(values[1]);
  }
};
