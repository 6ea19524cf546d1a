#pragma once

#include "block_rows.cuh"

inline int first_key(const Parameters& p, const BlockRows&, int q_index) { return p.first_key(q_index); }
inline int end_key(const Parameters& p, const BlockRows&, int q_index) { return p.end_key(q_index); }
