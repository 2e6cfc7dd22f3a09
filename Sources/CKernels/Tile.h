// The matrix product that every kernel for several rows is built on, and its helpers.
//
// A lane is one element of a vector register (16 per register) and holds one row of the caller's
// matrix: a token or a query. "Packed" data is transposed, [k][lane]: element k of up to 48 rows is
// contiguous. So one weight is broadcast and multiplied with 16 rows at once, and weights are read
// in the order in which they are stored.
//
// Sizes count 32-bit words: one f32, or two neighbouring bf16 values whose products one instruction
// adds. `narrow` selects bf16.
#ifndef CKERNELS_TILE_H
#define CKERNELS_TILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define FAST __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#define INLINE FAST static inline __attribute__((always_inline))

typedef float word __attribute__((may_alias, aligned(2)));

enum {
  /// Lanes of one vector register.
  WIDTH = 16,
  /// The most lanes of one product: three vectors, which with eight rows fill the registers.
  LANES = 48,
  /// Rows of one product.
  ROWS = 8,
};

INLINE __m512 multiply_add(bool narrow, __m512 sum, __m512 a, __m512 b) {
  return narrow ? _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b) : _mm512_fmadd_ps(a, b, sum);
}

/// Operands of one product,
/// `c[r][lane] (+)= Σ_k b[r · row_step + k · step] · a[k · a_step + lane]`; rows of c are c_step
/// apart.
typedef struct {
  const word *b;
  size_t row_step, step;
  const word *a;
  size_t a_step, depth;
  float *c;
  size_t c_step;
  bool adds;
} operands;

/// The product for numbers of vectors and rows that are known at compile time.
INLINE void fixed_product(bool narrow, int vectors, int rows, operands o) {
  __m512 sums[ROWS][LANES / WIDTH];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; ++r)
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; ++v)
      sums[r][v] = o.adds ? _mm512_loadu_ps(o.c + r * o.c_step + v * WIDTH) : _mm512_setzero_ps();
  for (size_t k = 0; k < o.depth; ++k) {
    // Prefetch the next rows; hardware prefetchers do not follow eight streams.
    if (rows == ROWS)
      _mm_prefetch((const char *)(o.b + (ROWS + k % ROWS) * o.row_step + k * o.step), _MM_HINT_T0);
    __m512 columns[LANES / WIDTH];
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; ++v) columns[v] = _mm512_loadu_ps(o.a + k * o.a_step + v * WIDTH);
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; ++r) {
      __m512 one = _mm512_set1_ps(o.b[r * o.row_step + k * o.step]);
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; ++v)
        sums[r][v] = multiply_add(narrow, sums[r][v], columns[v], one);
    }
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; ++r)
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; ++v) _mm512_storeu_ps(o.c + r * o.c_step + v * WIDTH, sums[r][v]);
}

INLINE void product_of_rows(bool narrow, int vectors, size_t rows, operands o) {
  size_t r = 0;
  for (; r + ROWS <= rows; r += ROWS, o.b += ROWS * o.row_step, o.c += ROWS * o.c_step)
    fixed_product(narrow, vectors, ROWS, o);
  for (; r < rows; ++r, o.b += o.row_step, o.c += o.c_step) fixed_product(narrow, vectors, 1, o);
}

/// The product for any number of rows.
FAST static inline void strided_product(bool narrow, int vectors, size_t rows, operands o) {
#define CASE(N, V) \
  if (narrow == N && vectors == V) product_of_rows(N, V, rows, o)
  CASE(false, 1);
  CASE(false, 2);
  CASE(false, 3);
  CASE(true, 1);
  CASE(true, 2);
  CASE(true, 3);
#undef CASE
}

/// The same with `a` and `c` stored as [k][vectors · WIDTH], without gaps.
FAST static inline void product(bool narrow, int vectors, size_t rows, const word *b, size_t row_step, size_t step,
                                const word *a, size_t depth, float *c, bool adds) {
  const size_t lanes = (size_t)vectors * WIDTH;
  strided_product(narrow, vectors, rows, (operands){b, row_step, step, a, lanes, depth, c, lanes, adds});
}

/// A mask of the low `count` of 16 lanes.
INLINE __mmask16 low_lanes(size_t count) {
  return count >= WIDTH ? (__mmask16)0xFFFF : (__mmask16)((1u << count) - 1);
}

/// Transposes a 16×16 block of 32-bit words.
INLINE void transpose(__m512 rows[WIDTH]) {
  __m512 t[WIDTH];
  for (int i = 0; i < WIDTH; i += 2) {
    t[i] = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
  }
#define PAIR(a, b, which) \
  _mm512_castpd_ps(_mm512_unpack##which##_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)))
  for (int i = 0; i < WIDTH; i += 4) {
    rows[i] = PAIR(t[i], t[i + 2], lo);
    rows[i + 1] = PAIR(t[i], t[i + 2], hi);
    rows[i + 2] = PAIR(t[i + 1], t[i + 3], lo);
    rows[i + 3] = PAIR(t[i + 1], t[i + 3], hi);
  }
#undef PAIR
  // Now row 4·q + i holds, in each quarter c, column 4·c + i of rows 4·q to 4·q + 3.
  for (int i = 0; i < 4; ++i) {
    __m512 low = _mm512_shuffle_f32x4(rows[i], rows[i + 4], 0x88);
    __m512 high = _mm512_shuffle_f32x4(rows[i + 8], rows[i + 12], 0x88);
    t[i] = _mm512_shuffle_f32x4(low, high, 0x88);
    t[i + 8] = _mm512_shuffle_f32x4(low, high, 0xDD);
    low = _mm512_shuffle_f32x4(rows[i], rows[i + 4], 0xDD);
    high = _mm512_shuffle_f32x4(rows[i + 8], rows[i + 12], 0xDD);
    t[i + 4] = _mm512_shuffle_f32x4(low, high, 0x88);
    t[i + 12] = _mm512_shuffle_f32x4(low, high, 0xDD);
  }
  for (int i = 0; i < WIDTH; ++i) rows[i] = t[i];
}

/// packed[k][lane] = row(lane)[k] for `depth` words of up to 16 rows; a NULL row counts as zeros.
FAST static inline void pack_rows(const word *const row[WIDTH], size_t depth, word *packed, size_t lanes) {
  for (size_t k = 0; k < depth; k += WIDTH) {
    size_t count = depth - k < WIDTH ? depth - k : WIDTH;
    __m512 block[WIDTH];
    for (int i = 0; i < WIDTH; ++i)
      block[i] = row[i] ? _mm512_maskz_loadu_ps(low_lanes(count), row[i] + k) : _mm512_setzero_ps();
    transpose(block);
    for (size_t i = 0; i < count; ++i) _mm512_storeu_ps(packed + (k + i) * lanes, block[i]);
  }
}

/// Transposes up to 16 packed rows of `count` lanes: each lane becomes a row; rows are `step`
/// apart.
FAST static inline void store_turned(const float *packed, size_t rows, int vectors, size_t count, float *to,
                                     size_t step) {
  for (int v = 0; v < vectors; ++v) {
    __m512 turned[WIDTH];
    for (size_t i = 0; i < WIDTH; ++i)
      turned[i] = i < rows ? _mm512_loadu_ps(packed + (i * vectors + v) * WIDTH) : _mm512_setzero_ps();
    transpose(turned);
    for (size_t i = 0; i < WIDTH && v * WIDTH + i < count; ++i)
      _mm512_mask_storeu_ps(to + (v * WIDTH + i) * step, low_lanes(rows), turned[i]);
  }
}

/// Rounds to bf16, to nearest, ties to even.
INLINE __m256i narrowed(__m512 values) { return (__m256i)_mm512_cvtneps_pbh(values); }

/// One word per lane: `low` rounded to bf16 in the low half, `high` in the high half.
INLINE __m512 paired(__m512 low, __m512 high) {
  __m512i l = _mm512_cvtepu16_epi32(narrowed(low)), h = _mm512_cvtepu16_epi32(narrowed(high));
  return _mm512_castsi512_ps(_mm512_or_si512(l, _mm512_slli_epi32(h, 16)));
}

#endif
#endif
