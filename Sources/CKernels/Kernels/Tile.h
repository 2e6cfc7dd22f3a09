// The matrix product that every kernel for several rows is built on, and its helpers.
//
// A lane is one element of a vector register and holds one row of the caller's matrix: a token or a
// query. "Packed" data is transposed, [k][lane]: element k of up to LANES rows is contiguous. So one
// weight is broadcast and multiplied with WIDTH rows at once, and weights are read in the order in
// which they are stored.
//
// Each version sets TILE_ROWS and TILE_VECTORS, so that a tile's sums fill its registers.
#ifndef CKERNELS_TILE_H
#define CKERNELS_TILE_H

#include "../Vectors/Transpose.h"
#include "../Vectors/Vector.h"

typedef float word __attribute__((may_alias, aligned(2)));

enum {
  /// The most vectors of one product.
  VECTORS = TILE_VECTORS,
  /// The most lanes of one product.
  LANES = VECTORS * WIDTH,
  /// Rows of one product.
  ROWS = TILE_ROWS,
  /// Numbers of a row that are widened at once: a tile of them stays in the first cache.
  CHUNK = 256,
};

/// How the numbers of a product are stored. A "unit" is what one step of the product reads from a
/// row.
typedef enum {
  /// f32; a unit is a number.
  F32,
  /// bf16, multiplied in pairs: a unit is a word of two neighbouring numbers, of the packed rows,
  /// too.
  PAIRS,
  /// bf16, widened while it is read; a unit is a number, packed rows are f32.
  WIDENED,
} storage;

INLINE size_t least(size_t a, size_t b) { return a < b ? a : b; }

INLINE storage storage_of(bool narrow) { return !narrow ? F32 : MULTIPLIES_BF16 ? PAIRS : WIDENED; }

/// The units of `count` numbers.
INLINE size_t units(storage kind, size_t count) { return kind == PAIRS ? count / 2 : count; }

/// The address of a unit.
INLINE const void *unit_at(storage kind, const void *base, size_t unit) {
  return (const char *)base + unit * (kind == WIDENED ? 2 : 4);
}

/// Operands of one product,
/// `c[r][lane] (+)= Σ_k b[r · row_step + k · step] · a[k · a_step + lane]`; steps of b are units,
/// rows of c are c_step apart.
typedef struct {
  const void *b;
  size_t row_step, step;
  const void *a;
  size_t a_step, depth;
  float *c;
  size_t c_step;
  bool adds;
} operands;

INLINE vector multiply_add(storage kind, vector sum, vector a, vector b) {
#if MULTIPLIES_BF16
  if (kind == PAIRS) return (vector)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#endif
  return fused(a, b, sum);
}

/// Keeps a sum in its register. A tile that fills all 16 registers of AVX2 is otherwise moved about
/// at every step, at half the speed.
#if defined(__x86_64__) && WIDTH == 8
#define PIN(sum) __asm__("" : "+x"(sum))
#else
#define PIN(sum)
#endif

/// The product for numbers of vectors and rows that are known at compile time.
INLINE void fixed_product(storage kind, int vectors, int rows, operands o) {
  const word *b = o.b, *a = o.a;
  vector sums[ROWS][VECTORS];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; ++r)
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; ++v) sums[r][v] = o.adds ? load(o.c + r * o.c_step + v * WIDTH) : all(0);
  for (size_t k = 0; k < o.depth; ++k) {
    // Prefetch the next rows; hardware prefetchers do not follow eight streams.
    if (rows == ROWS) __builtin_prefetch(b + (ROWS + k % ROWS) * o.row_step + k * o.step);
    vector columns[VECTORS];
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; ++v) columns[v] = load(a + k * o.a_step + v * WIDTH);
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; ++r) {
      vector one = all(b[r * o.row_step + k * o.step]);
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; ++v) {
        sums[r][v] = multiply_add(kind, sums[r][v], columns[v], one);
        PIN(sums[r][v]);
      }
    }
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; ++r)
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; ++v) store(o.c + r * o.c_step + v * WIDTH, sums[r][v]);
}

/// Widens part of a tile of bf16 numbers; one of the two steps is 1, and stays so.
INLINE operands widened_part(operands o, int rows, size_t first, size_t depth, float *tile) {
  const uint16_t *b = (const uint16_t *)o.b + first * o.step;
  const bool along = o.step == 1;
  for (int r = 0; r < rows && along; ++r)
    for (size_t k = 0; k < depth; k += WIDTH)
      store(tile + r * (CHUNK + WIDTH) + k, numbers(true, b + r * o.row_step, k, depth - k));
  for (size_t k = 0; k < depth && !along; ++k)
    for (int r = 0; r < rows; ++r) tile[k * ROWS + r] = bf16_value(b[r + k * o.step]);
  o.b = tile;
  o.row_step = along ? CHUNK + WIDTH : 1;
  o.step = along ? 1 : ROWS;
  o.a = (const float *)o.a + first * o.a_step;
  o.depth = depth;
  o.adds |= first > 0;
  return o;
}

/// The same as `fixed_product`, tile by tile if numbers must be widened.
INLINE void tile_product(storage kind, int vectors, int rows, operands o) {
  if (kind != WIDENED) return fixed_product(kind, vectors, rows, o);
  float tile[ROWS * (CHUNK + WIDTH)];
  for (size_t k = 0; k < o.depth; k += CHUNK)
    fixed_product(F32, vectors, rows, widened_part(o, rows, k, o.depth - k < CHUNK ? o.depth - k : CHUNK, tile));
}

INLINE void product_of_rows(storage kind, int vectors, size_t rows, operands o) {
  size_t r = 0;
  for (; r + ROWS <= rows; r += ROWS, o.c += ROWS * o.c_step) {
    tile_product(kind, vectors, ROWS, o);
    o.b = unit_at(kind, o.b, ROWS * o.row_step);
  }
  for (; r < rows; ++r, o.c += o.c_step) {
    tile_product(kind, vectors, 1, o);
    o.b = unit_at(kind, o.b, o.row_step);
  }
}

INLINE void product_of_vectors(storage kind, int vectors, size_t rows, operands o) {
  switch (vectors) {
    case 1: product_of_rows(kind, 1, rows, o); break;
    case 2: product_of_rows(kind, 2, rows, o); break;
#if TILE_VECTORS > 3
    case 4: product_of_rows(kind, 4, rows, o); break;
#endif
#if TILE_VECTORS > 2
    default: product_of_rows(kind, 3, rows, o); break;
#endif
  }
}

/// The product for any number of rows.
MAYBE_UNUSED static void strided_product(storage kind, int vectors, size_t rows, operands o) {
  switch (kind) {
    case F32: product_of_vectors(F32, vectors, rows, o); break;
#if MULTIPLIES_BF16
    case PAIRS: product_of_vectors(PAIRS, vectors, rows, o); break;
#endif
    default: product_of_vectors(WIDENED, vectors, rows, o); break;
  }
}

/// The same with `a` and `c` stored as [k][vectors · WIDTH], without gaps.
MAYBE_UNUSED static void product(storage kind, int vectors, size_t rows, const void *b, size_t row_step, size_t step,
                                 const void *a, size_t depth, float *c, bool adds) {
  const size_t lanes = (size_t)vectors * WIDTH;
  strided_product(kind, vectors, rows, (operands){b, row_step, step, a, lanes, depth, c, lanes, adds});
}

/// to[r][column] (+)= Σ_lane packed[r][lane] · rows[lane][column] for the first `depth` lanes, f32;
/// `columns`, a multiple of WIDTH, is also the distance of rows and of results.
MAYBE_UNUSED static void product_over_lanes(const float *packed, size_t count, size_t lanes, size_t depth,
                                            const float *rows, size_t columns, float *to, bool adds) {
  for (size_t c = 0; c < columns; c += LANES) {
    int vectors = columns - c < LANES ? (int)((columns - c) / WIDTH) : VECTORS;
    strided_product(F32, vectors, count, (operands){packed, lanes, 1, rows + c, columns, depth, to + c, columns, adds});
  }
}

/// packed[k][lane] = row(lane)[k] for `count` numbers of up to WIDTH rows, in the form that a
/// product reads; a NULL row counts as zeros.
MAYBE_UNUSED static void pack_rows(storage kind, const void *const row[WIDTH], size_t count, float *packed,
                                   size_t lanes) {
  const size_t depth = units(kind, count);
  for (size_t k = 0; k < depth; k += WIDTH) {
    size_t part = depth - k < WIDTH ? depth - k : WIDTH;
    vector block[WIDTH];
    for (int i = 0; i < WIDTH; ++i)
      block[i] = row[i] ? numbers(kind == WIDENED, row[i], k, part) : all(0);
    transpose(block);
    for (size_t i = 0; i < part; ++i) store(packed + (k + i) * lanes, block[i]);
  }
}

/// Transposes up to WIDTH packed rows of `count` lanes: each lane becomes a row, f32 or bf16; rows
/// are `step` apart, and begin at number `at`.
MAYBE_UNUSED static void store_turned(const float *packed, size_t rows, int vectors, size_t count, bool narrow,
                                      void *to, size_t at, size_t step) {
  for (int v = 0; v < vectors; ++v) {
    vector turned[WIDTH];
    for (size_t i = 0; i < WIDTH; ++i) turned[i] = i < rows ? load(packed + (i * vectors + v) * WIDTH) : all(0);
    transpose(turned);
    for (size_t i = 0; i < WIDTH && v * WIDTH + i < count; ++i)
      store_numbers(narrow, to, at + (v * WIDTH + i) * step, rows, turned[i]);
  }
}

/// One unit per lane, as products read it: for pairs, `low` rounded to bf16 in the low half, `high`
/// in the high half.
MAYBE_UNUSED INLINE vector paired(vector low, vector high) {
  word_bits l = __builtin_convertvector(narrowed(low), word_bits), h = __builtin_convertvector(narrowed(high), word_bits);
  return (vector)(l | h << 16);
}

#endif
