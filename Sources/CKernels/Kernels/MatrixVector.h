// Products of a matrix and one vector.

#include "CKernels.h"
#include "Dot.h"

static void matrix_vector_f32(const float *weight, const float *x, float *y, size_t rows, size_t columns) {
  for (size_t row = 0; row < rows; ++row) y[row] = dot(false, weight + row * columns, false, x, columns);
}

static void matrix_vector_bf16(const uint16_t *weight, const uint16_t *x, uint16_t *y, size_t rows, size_t columns) {
  for (size_t row = 0; row < rows; ++row) y[row] = bf16_bits(dot(true, weight + row * columns, true, x, columns));
}
