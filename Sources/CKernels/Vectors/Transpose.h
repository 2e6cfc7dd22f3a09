// Transposes a square block of WIDTH × WIDTH words in registers.
#ifndef CKERNELS_TRANSPOSE_H
#define CKERNELS_TRANSPOSE_H

#include "Vector.h"

#if WIDTH == 16
#define SHUFFLE16(a, b, i, j, k, l)                                                                      \
  __builtin_shufflevector(a, b, i, j, k, l, i + 4, j + 4, k + 4, l + 4, i + 8, j + 8, k + 8, l + 8, i + 12, \
                          j + 12, k + 12, l + 12)
#define IN_QUADS(a, b, i, j, k, l) SHUFFLE16(a, b, i, j, k, l)
/// Quads p and q of a, then of b.
#define QUADS(a, b, p, q)                                                                                 \
  __builtin_shufflevector(a, b, 4 * p, 4 * p + 1, 4 * p + 2, 4 * p + 3, 4 * q, 4 * q + 1, 4 * q + 2, 4 * q + 3, \
                          16 + 4 * p, 17 + 4 * p, 18 + 4 * p, 19 + 4 * p, 16 + 4 * q, 17 + 4 * q, 18 + 4 * q,   \
                          19 + 4 * q)
#elif WIDTH == 8
#define IN_QUADS(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l, i + 4, j + 4, k + 4, l + 4)
#else
#define IN_QUADS(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#endif

/// Transposes 4 × 4 words within each quad of four neighbouring rows: row 4·r + i then holds, in
/// quad c, column 4·c + i of rows 4·r to 4·r + 3.
INLINE void transpose_in_quads(vector rows[WIDTH]) {
  for (int i = 0; i < WIDTH; i += 4) {
    vector low = IN_QUADS(rows[i], rows[i + 1], 0, WIDTH, 1, WIDTH + 1);
    vector high = IN_QUADS(rows[i], rows[i + 1], 2, WIDTH + 2, 3, WIDTH + 3);
    vector next_low = IN_QUADS(rows[i + 2], rows[i + 3], 0, WIDTH, 1, WIDTH + 1);
    vector next_high = IN_QUADS(rows[i + 2], rows[i + 3], 2, WIDTH + 2, 3, WIDTH + 3);
    rows[i] = IN_QUADS(low, next_low, 0, 1, WIDTH, WIDTH + 1);
    rows[i + 1] = IN_QUADS(low, next_low, 2, 3, WIDTH + 2, WIDTH + 3);
    rows[i + 2] = IN_QUADS(high, next_high, 0, 1, WIDTH, WIDTH + 1);
    rows[i + 3] = IN_QUADS(high, next_high, 2, 3, WIDTH + 2, WIDTH + 3);
  }
}

INLINE void transpose(vector rows[WIDTH]) {
  transpose_in_quads(rows);
#if WIDTH == 16
  vector t[WIDTH];
  for (int i = 0; i < 4; ++i) {
    vector low = QUADS(rows[i], rows[i + 4], 0, 2), high = QUADS(rows[i + 8], rows[i + 12], 0, 2);
    t[i] = QUADS(low, high, 0, 2);
    t[i + 8] = QUADS(low, high, 1, 3);
    low = QUADS(rows[i], rows[i + 4], 1, 3);
    high = QUADS(rows[i + 8], rows[i + 12], 1, 3);
    t[i + 4] = QUADS(low, high, 0, 2);
    t[i + 12] = QUADS(low, high, 1, 3);
  }
  for (int i = 0; i < WIDTH; ++i) rows[i] = t[i];
#elif WIDTH == 8
  for (int i = 0; i < 4; ++i) {
    vector low = rows[i], high = rows[i + 4];
    rows[i] = __builtin_shufflevector(low, high, 0, 1, 2, 3, 8, 9, 10, 11);
    rows[i + 4] = __builtin_shufflevector(low, high, 4, 5, 6, 7, 12, 13, 14, 15);
  }
#endif
}

#endif
