// The selected experts of one token: all threads together read each weight once.

#include "Activation.h"
#include "CKernels.h"
#include "Dot.h"
#include "Tile.h"

#if defined(__x86_64__)

FAST static float dot(bool narrow, const void *weight, size_t row, const float *x, size_t count) {
  return narrow ? dot_mixed_avx512((const uint16_t *)weight + row * count, x, count)
                : dot_f32_avx512((const float *)weight + row * count, x, count);
}

FAST void ckernels_expert_row_inner(const ckernels_expert_row *work, size_t first, size_t last) {
  for (size_t start = first; start < last; start += WIDTH) {
    size_t count = last - start < WIDTH ? last - start : WIDTH;
    float gate[WIDTH] = {0}, up[WIDTH] = {0};
    for (size_t i = 0; i < count; ++i) {
      size_t slot = (start + i) / work->inner, row = (start + i) % work->inner;
      up[i] = dot(work->narrow, work->up[slot], row, work->x, work->hidden);
      if (work->gate) gate[i] = dot(work->narrow, work->gate[slot], row, work->x, work->hidden);
    }
    __m512 u = _mm512_loadu_ps(up);
    __m512 value = work->gate ? _mm512_mul_ps(activated(work->activation, _mm512_loadu_ps(gate)), u)
                              : activated(work->activation, u);
    _mm512_mask_storeu_ps(work->values + start, low_lanes(count), value);
  }
}

FAST void ckernels_expert_row_result(const ckernels_expert_row *work, size_t first, size_t last) {
  for (size_t row = first; row < last; ++row) {
    float sum = 0;
    for (size_t slot = 0; slot < work->chosen; ++slot)
      sum += work->weights[slot] *
             dot(work->narrow, work->down[slot], row, work->values + slot * work->inner, work->inner);
    if (work->narrow)
      ((uint16_t *)work->result)[row] = bf16_bits(sum);
    else
      ((float *)work->result)[row] = sum;
  }
}

#else

void ckernels_expert_row_inner(const ckernels_expert_row *work, size_t first, size_t last) {}
void ckernels_expert_row_result(const ckernels_expert_row *work, size_t first, size_t last) {}

#endif
