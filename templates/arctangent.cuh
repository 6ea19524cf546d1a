#pragma once

#include "config.cuh"

// The angle of (x, y), without a branch: atan2f takes the assembler so long that kernels which evaluate it for each
// score would compile for minutes. The arctangent of a ratio t from 0 to 1 is t + t^3 times a polynomial in t^2, whose
// largest relative error is the least that so many coefficients allow: 1.7e-8. Together with the ratio, which is
// divided to two units of the last place, the result is right to four.
__device__ __forceinline__ float arctangent(float y, float x) {
  constexpr float kHalfPi = 1.57079632679489662F;
  constexpr float kPi = 3.14159265358979324F;
  const float rise = fabsf(y);
  const float run = fabsf(x);
  const float longer = fmaxf(rise, run);
  float t = fminf(rise, run) / longer;
  if (rise == run) t = rise == 0.0F ? 0.0F : 1.0F;  // also where both are infinite
  const float square = t * t;
  float sum = 0.002920688F;
  sum = __fmaf_rn(sum, square, -0.016367912F);
  sum = __fmaf_rn(sum, square, 0.043211836F);
  sum = __fmaf_rn(sum, square, -0.075522125F);
  sum = __fmaf_rn(sum, square, 0.10666004F);
  sum = __fmaf_rn(sum, square, -0.14211056F);
  sum = __fmaf_rn(sum, square, 0.19993773F);
  sum = __fmaf_rn(sum, square, -0.33333153F);
  float angle = __fmaf_rn(t * square, sum, t);
  if (rise > run) angle = kHalfPi - angle;
  if (signbit(x)) angle = kPi - angle;
  angle = copysignf(angle, y);
  return isnan(x) || isnan(y) ? x + y : angle;
}
