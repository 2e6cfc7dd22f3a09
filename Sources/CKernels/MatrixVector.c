// Products of a matrix and one vector.

#include "CKernels.h"
#include "Dot.h"

void ckernels_matrix_vector_f32(const float *weight, const float *x, float *y, size_t rows,
                                size_t columns) {
  float (*dot)(const float *, const float *, size_t) = dot_f32_plain;
#if defined(__x86_64__)
  if (has_avx512()) dot = dot_f32_avx512;
#endif
  for (size_t row = 0; row < rows; ++row) y[row] = dot(weight + row * columns, x, columns);
}

void ckernels_matrix_vector_bf16(const uint16_t *weight, const uint16_t *x, uint16_t *y, size_t rows,
                                 size_t columns) {
  float (*dot)(const uint16_t *, const uint16_t *, size_t) = dot_bf16_plain;
#if defined(__x86_64__)
  if (has_avx512()) dot = dot_bf16_avx512;
#endif
  for (size_t row = 0; row < rows; ++row) y[row] = bf16_bits(dot(weight + row * columns, x, columns));
}
