// Dot products of few rows of a weight with few rows of numbers: they read every weight once, in place, and are
// limited by memory.
//
// Every product is one sum per lane over the columns in their order, then the sum of the lanes. How many rows are
// computed at once changes nothing in it.
#ifndef CKERNELS_DOT_H
#define CKERNELS_DOT_H

#include "../Vectors/Transpose.h"
#include "../Vectors/Vector.h"
#include "CKernels.h"

enum {
  /// The most rows of numbers of one tile.
  DOT_ROWS = 4,
  /// The most sums of one tile: half of the registers.
#if WIDTH == 16 || defined(__aarch64__)
  DOT_SUMS = 16,
#else
  DOT_SUMS = 8,
#endif
  /// The most products of each row of numbers that `dots` computes.
  DOT_OUTPUTS = CKERNELS_DOT_OUTPUTS,
};

/// The sums of the lanes of each vector, added as `sum_of` does.
INLINE void sums_of_each(vector *sums, int count, float *to) {
  int i = 0;
  for (; i + WIDTH <= count; i += WIDTH) {
    vector *t = sums + i;
    transpose(t);
#pragma clang loop unroll(full)
    for (int half = WIDTH / 2; half >= 4; half /= 2)
#pragma clang loop unroll(full)
      for (int l = 0; l < half; ++l) t[l] = t[l] + t[l + half];
    store(to + i, (t[0] + t[2]) + (t[1] + t[3]));
  }
  for (; i < count; ++i) to[i] = sum_of(sums[i]);
}

/// How the numbers of a product are stored.
typedef struct {
  bool weight, x;
} narrowness;

/// to[r][i] = Σ_k weight[r · columns + k] · x[i][k] for numbers of rows that are known at compile time.
INLINE void dot_tile(narrowness narrow, int weights, const void *weight, size_t at, int rows, const void *const *x,
                     size_t columns, float *to) {
  vector sums[DOT_SUMS];
#pragma clang loop unroll(full)
  for (int s = 0; s < weights * rows; ++s) sums[s] = all(0);
  size_t k = 0;
  for (; k + WIDTH <= columns; k += WIDTH) {
    vector part[DOT_ROWS];
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; ++i) part[i] = numbers(narrow.x, x[i], k, WIDTH);
#pragma clang loop unroll(full)
    for (int r = 0; r < weights; ++r) {
      const vector w = numbers(narrow.weight, weight, at + r * columns + k, WIDTH);
#pragma clang loop unroll(full)
      for (int i = 0; i < rows; ++i) sums[r * rows + i] = fused(w, part[i], sums[r * rows + i]);
    }
  }
  if (k < columns)
#pragma clang loop unroll(full)
    for (int r = 0; r < weights; ++r) {
      const vector w = numbers(narrow.weight, weight, at + r * columns + k, columns - k);
#pragma clang loop unroll(full)
      for (int i = 0; i < rows; ++i)
        sums[r * rows + i] = fused(w, numbers(narrow.x, x[i], k, columns - k), sums[r * rows + i]);
    }
  sums_of_each(sums, weights * rows, to);
}

INLINE void dots_of_rows(narrowness narrow, size_t outputs, const void *weight, size_t first, int rows,
                         const void *const *x, size_t columns, float to[DOT_ROWS][DOT_OUTPUTS]) {
  // One row of numbers needs no more sums than keep the loads in flight.
  const int tile = rows == 1 ? DOT_SUMS / 2 : DOT_SUMS / (rows == 3 ? 4 : rows);
  float sums[DOT_SUMS];
  size_t r = 0;
  for (; r + tile <= outputs; r += tile) {
    dot_tile(narrow, tile, weight, (first + r) * columns, rows, x, columns, sums);
    for (int s = 0; s < tile * rows; ++s) to[s % rows][r + s / rows] = sums[s];
  }
  for (; r < outputs; ++r) {
    dot_tile(narrow, 1, weight, (first + r) * columns, rows, x, columns, sums);
    for (int i = 0; i < rows; ++i) to[i][r] = sums[i];
  }
}

INLINE void dots_of_storage(narrowness narrow, size_t outputs, const void *weight, size_t first, size_t rows,
                            const void *const *x, size_t columns, float to[DOT_ROWS][DOT_OUTPUTS]) {
  switch (rows) {
    case 1: dots_of_rows(narrow, outputs, weight, first, 1, x, columns, to); break;
    case 2: dots_of_rows(narrow, outputs, weight, first, 2, x, columns, to); break;
    case 3: dots_of_rows(narrow, outputs, weight, first, 3, x, columns, to); break;
    default: dots_of_rows(narrow, outputs, weight, first, 4, x, columns, to); break;
  }
}

/// to[i][n] = Σ_k weight[(first + n) · columns + k] · x[i][k] for up to DOT_OUTPUTS rows of a weight and up to
/// DOT_ROWS rows of numbers; wide weights have wide numbers.
MAYBE_UNUSED static void dots(narrowness narrow, size_t outputs, const void *weight, size_t first, size_t rows,
                              const void *const *x, size_t columns, float to[DOT_ROWS][DOT_OUTPUTS]) {
  if (!narrow.weight) return dots_of_storage((narrowness){false, false}, outputs, weight, first, rows, x, columns, to);
  if (narrow.x) return dots_of_storage((narrowness){true, true}, outputs, weight, first, rows, x, columns, to);
  dots_of_storage((narrowness){true, false}, outputs, weight, first, rows, x, columns, to);
}

#endif
