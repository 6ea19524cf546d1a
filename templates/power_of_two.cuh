#pragma once

__host__ __device__ constexpr int power_of_two_at_least(int value) {
  int power = 1;
  while (power < value) power *= 2;
  return power;
}
