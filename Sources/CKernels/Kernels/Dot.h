// Dot products of few rows of a weight with few rows of numbers: they read every weight once, in place, and are
// limited by memory.
//
// Every product is one sum per lane over the columns in their order, then the sum of the lanes. How many rows are
// computed at once changes nothing in it.
#ifndef CKERNELS_DOT_H
#define CKERNELS_DOT_H

#include "CKernels.h"
#include "Tile.h"

enum {
#if WIDTH == 16 || defined(__aarch64__)
  /// The most rows of numbers of one tile: with two rows of a weight their sums fill half of the registers.
  DOT_ROWS = 8,
#else
  DOT_ROWS = 4,
#endif
  /// Rows of a weight in a tile for one row of numbers: long vectors follow one stream of memory, short ones need
  /// several sums to hide how long an addition takes.
  DOT_SINGLE = WIDTH == 16 ? 1 : WIDTH == 8 ? 2 : 4,
  /// Bytes between a weight and what is prefetched at the same time, as many as memory sends while it is waited for.
  DOT_AHEAD = 4096,
  /// The most rows of a weight that `dots` takes.
  DOT_OUTPUTS = CKERNELS_DOT_OUTPUTS,
};

/// Numbers that one register holds.
INLINE size_t dot_step(storage kind) { return kind == PAIRS ? 2 * WIDTH : WIDTH; }

/// `count` numbers from `at` on, as `multiply_add` takes them; zeros behind them.
INLINE vector dot_part(storage kind, const void *row, size_t at, size_t count) {
#if MULTIPLIES_BF16
  if (kind == PAIRS) {
    const __mmask32 bits = count >= 32 ? ~(__mmask32)0 : ((__mmask32)1 << count) - 1;
    return (vector)_mm512_maskz_loadu_epi16(bits, (const uint16_t *)row + at);
  }
#endif
  return numbers(kind == WIDENED, row, at, count);
}

/// Rows of a weight from element `at` on, and rows of numbers, `columns` long.
typedef struct {
  const void *weight;
  size_t at;
  const void *const *x;
  size_t columns;
} dot_operands;

/// Adds the products of up to `count` columns from `k` on, for numbers of rows that are known at compile time.
INLINE void dot_add(storage kind, int weights, int rows, const dot_operands *o, size_t k, size_t count, vector *sums) {
  vector part[DOT_ROWS];
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; ++i) part[i] = dot_part(kind, o->x[i], k, count);
#pragma clang loop unroll(full)
  for (int r = 0; r < weights; ++r) {
    const vector w = dot_part(kind, o->weight, o->at + r * o->columns + k, count);
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; ++i) sums[r * rows + i] = multiply_add(kind, sums[r * rows + i], part[i], w);
  }
}

/// sums[i][r] = the lanes of Σ_k weight[at + r · columns + k] · x[i][k].
INLINE void dot_tile(storage kind, int weights, int rows, dot_operands o, vector (*sums)[DOT_OUTPUTS]) {
  const size_t step = dot_step(kind), bytes = kind == F32 ? 4 : 2;
  // Prefetchers do not follow two rows at once, so what comes next is asked for in the order of memory.
  const char *next = (const char *)o.weight + o.at * bytes + DOT_AHEAD;
  vector s[2 * DOT_ROWS];
#pragma clang loop unroll(full)
  for (int i = 0; i < weights * rows; ++i) s[i] = all(0);
  size_t k = 0;
  for (; k + step <= o.columns; k += step) {
#pragma clang loop unroll(full)
    for (int r = 0; r < weights && rows > 1; ++r, next += step * bytes) __builtin_prefetch(next);
    dot_add(kind, weights, rows, &o, k, step, s);
  }
  if (k < o.columns) dot_add(kind, weights, rows, &o, k, o.columns - k, s);
#pragma clang loop unroll(full)
  for (int r = 0; r < weights; ++r)
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; ++i) sums[i][r] = s[r * rows + i];
}

/// The sums of the lanes of WIDTH vectors, each added as `sum_of` does.
INLINE vector sums_of_each(const vector *sums) {
  vector t[WIDTH];
#pragma clang loop unroll(full)
  for (int i = 0; i < WIDTH; ++i) t[i] = sums[i];
  transpose(t);
#pragma clang loop unroll(full)
  for (int half = WIDTH / 2; half >= 4; half /= 2)
#pragma clang loop unroll(full)
    for (int l = 0; l < half; ++l) t[l] = t[l] + t[l + half];
  return (t[0] + t[2]) + (t[1] + t[3]);
}

INLINE void dots_of_rows(storage kind, size_t outputs, const void *weight, size_t first, int rows,
                         const void *const *x, size_t columns, float to[DOT_ROWS][DOT_OUTPUTS]) {
  const int tile = rows == 1 ? DOT_SINGLE : 2;
  vector sums[DOT_ROWS][DOT_OUTPUTS];
  size_t r = 0;
  for (; r + tile <= outputs; r += tile)
    dot_tile(kind, tile, rows, (dot_operands){weight, (first + r) * columns, x, columns}, (void *)&sums[0][r]);
  for (; r < outputs; ++r)
    dot_tile(kind, 1, rows, (dot_operands){weight, (first + r) * columns, x, columns}, (void *)&sums[0][r]);
  for (int i = 0; i < rows; ++i) {
    for (r = outputs; r % WIDTH; ++r) sums[i][r] = all(0);
    for (r = 0; r < outputs; r += WIDTH) store(to[i] + r, sums_of_each(sums[i] + r));
  }
}

INLINE void dots_of_storage(storage kind, size_t outputs, const void *weight, size_t first, size_t rows,
                            const void *const *x, size_t columns, float to[DOT_ROWS][DOT_OUTPUTS]) {
  switch (rows) {
    case 1: dots_of_rows(kind, outputs, weight, first, 1, x, columns, to); break;
    case 2: dots_of_rows(kind, outputs, weight, first, 2, x, columns, to); break;
    case 3: dots_of_rows(kind, outputs, weight, first, 3, x, columns, to); break;
#if WIDTH == 16 || defined(__aarch64__)
    case 5: dots_of_rows(kind, outputs, weight, first, 5, x, columns, to); break;
    case 6: dots_of_rows(kind, outputs, weight, first, 6, x, columns, to); break;
    case 7: dots_of_rows(kind, outputs, weight, first, 7, x, columns, to); break;
    case 8: dots_of_rows(kind, outputs, weight, first, 8, x, columns, to); break;
#endif
    default: dots_of_rows(kind, outputs, weight, first, 4, x, columns, to); break;
  }
}

/// to[i][n] = Σ_k weight[(first + n) · columns + k] · x[i][k] for up to DOT_OUTPUTS rows of a weight and up to
/// DOT_ROWS rows of numbers of the same type.
MAYBE_UNUSED static void dots(storage kind, size_t outputs, const void *weight, size_t first, size_t rows,
                              const void *const *x, size_t columns, float to[DOT_ROWS][DOT_OUTPUTS]) {
  switch (kind) {
    case F32: dots_of_storage(F32, outputs, weight, first, rows, x, columns, to); break;
#if MULTIPLIES_BF16
    case PAIRS: dots_of_storage(PAIRS, outputs, weight, first, rows, x, columns, to); break;
#endif
    default: dots_of_storage(WIDENED, outputs, weight, first, rows, x, columns, to); break;
  }
}

#endif
