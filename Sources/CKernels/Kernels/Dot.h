// Dot products of two rows. They read every weight once and are limited by memory; four independent
// sums per row keep enough loads in flight.
#ifndef CKERNELS_DOT_H
#define CKERNELS_DOT_H

#include "../Vectors/Vector.h"

/// The dot product of rows a and b, each f32 or bf16.
INLINE float dot(bool a_narrow, const void *a, bool b_narrow, const void *b, size_t count) {
  vector sums[4] = {all(0), all(0), all(0), all(0)};
  size_t i = 0;
  for (; i + 4 * WIDTH <= count; i += 4 * WIDTH)
#pragma clang loop unroll(full)
    for (int s = 0; s < 4; ++s)
      sums[s] = fused(numbers(a_narrow, a, i + s * WIDTH, WIDTH), numbers(b_narrow, b, i + s * WIDTH, WIDTH), sums[s]);
  for (; i < count; i += WIDTH)
    sums[0] = fused(numbers(a_narrow, a, i, count - i), numbers(b_narrow, b, i, count - i), sums[0]);
  return sum_of((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

#endif
