// Kernels of our own, each beside a plain version in the tests. They neither allocate nor print, and choose
// among instruction sets when they run.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

/// y[r] = Σ_c weight[r · columns + c] · x[c], summed in f32, for every row r.
void ckernels_matrix_vector_f32(const float *weight, const float *x, float *y, size_t rows,
                                size_t columns);

/// The same for brain floats, given and returned as their bits; sums are f32 and round to nearest even.
void ckernels_matrix_vector_bf16(const uint16_t *weight, const uint16_t *x, uint16_t *y, size_t rows,
                                 size_t columns);

#endif
