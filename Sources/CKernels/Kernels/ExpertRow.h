// The selected experts of one token: all threads together read each weight once.

#include "Activation.h"
#include "CKernels.h"
#include "Dot.h"

/// The product of row `row` of a weight and a row of f32.
INLINE float weight_dot(bool narrow, const void *weight, size_t row, const float *x, size_t count) {
  return narrow ? dot(true, (const uint16_t *)weight + row * count, false, x, count)
                : dot(false, (const float *)weight + row * count, false, x, count);
}

static void expert_row_inner(const ckernels_expert_row *work, size_t first, size_t last) {
  for (size_t start = first; start < last; start += WIDTH) {
    size_t count = last - start < WIDTH ? last - start : WIDTH;
    float gate[WIDTH] = {0}, up[WIDTH] = {0};
    for (size_t i = 0; i < count; ++i) {
      size_t slot = (start + i) / work->inner, row = (start + i) % work->inner;
      up[i] = weight_dot(work->narrow, work->up[slot], row, work->x, work->hidden);
      if (work->gate) gate[i] = weight_dot(work->narrow, work->gate[slot], row, work->x, work->hidden);
    }
    vector u = load(up);
    vector value = work->gate ? activated(work->activation, load(gate)) * u : activated(work->activation, u);
    store_part(work->values + start, count, value);
  }
}

static void expert_row_result(const ckernels_expert_row *work, size_t first, size_t last) {
  for (size_t row = first; row < last; ++row) {
    float sum = 0;
    for (size_t slot = 0; slot < work->chosen; ++slot)
      sum += work->weights[slot] *
             weight_dot(work->narrow, work->down[slot], row, work->values + slot * work->inner, work->inner);
    if (work->narrow)
      ((uint16_t *)work->result)[row] = bf16_bits(sum);
    else
      ((float *)work->result)[row] = sum;
  }
}
