#pragma once

#include "config.cuh"

inline int visible_keys(const Parameters& p, int q_index) {
  return p.causal ? max(0, min(p.kv_length, q_index + 1 + p.kv_length - p.q_length)) : p.kv_length;
}
