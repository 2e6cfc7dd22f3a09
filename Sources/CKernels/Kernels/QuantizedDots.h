// Dot products of a packed weight with few rows of rounded numbers: they read the codes in place, once for the rows of a tile.
//
// Products of codes and numbers are whole, so their sums are exact; the sum of a chunk's products in each lane is
// multiplied with the scales of its group, of the weight and of the numbers, and added up in f32. What a code
// stands for besides, a bias or the zero of symmetric codes, is one more product per group.
#ifndef CKERNELS_QUANTIZED_DOTS_H
#define CKERNELS_QUANTIZED_DOTS_H

#include "Dot.h"
#include "QuantizedForms.h"

enum {
  /// The most rows of numbers of one tile.
  QUANTIZED_ROWS = WIDTH == 16 ? 8 : 4,
  /// The most rows of a weight of one tile.
  MOST_WEIGHTS = 4,
};

#if !MULTIPLIES_BYTES
/// sum + the products of neighbouring pairs.
INLINE integers multiply_pairs(integers sum, plane codes, plane numbers) {
#if defined(__x86_64__) && WIDTH == 16
  return sum + (integers)_mm512_madd_epi16((__m512i)codes, (__m512i)numbers);
#elif defined(__x86_64__) && WIDTH == 8
  return sum + (integers)_mm256_madd_epi16((__m256i)codes, (__m256i)numbers);
#elif defined(__x86_64__)
  return sum + (integers)_mm_madd_epi16((__m128i)codes, (__m128i)numbers);
#else
  typedef int16_t signed_plane __attribute__((ext_vector_type(8)));
  typedef int32_t wide __attribute__((ext_vector_type(8)));
  const wide products = __builtin_convertvector((signed_plane)codes, wide) * __builtin_convertvector((signed_plane)numbers, wide);
  return sum + products.even + products.odd;
#endif
}
#endif

/// Numbers of a register that are multiplied with a plane at once.
INLINE plane plane_at(const uint8_t *from) {
  plane p;
  __builtin_memcpy(&p, from, sizeof p);
  return p;
}

/// products[r] = the sums of products of a chunk's planes, of several rows of a weight, with the numbers of one row.
INLINE void chunk_products(int planes, bool fine, int weights, plane (*codes)[CODE_PLANES], const uint8_t *numbers,
                           integers *products) {
#if MULTIPLIES_BYTES
  __m512i sums[MOST_WEIGHTS];
#pragma clang loop unroll(full)
  for (int r = 0; r < weights; ++r) sums[r] = _mm512_setzero_si512();
#pragma clang loop unroll(full)
  for (int half = 0; half < (fine ? 2 : 1); ++half) {
#pragma clang loop unroll(full)
    for (int r = 0; r < weights && half; ++r) sums[r] = _mm512_slli_epi32(sums[r], 8);
#pragma clang loop unroll(full)
    for (int p = 0; p < planes; ++p) {
      const plane x = plane_at(numbers + (half * planes + p) * PLANE);
#pragma clang loop unroll(full)
      for (int r = 0; r < weights; ++r) sums[r] = _mm512_dpbusd_epi32(sums[r], codes[r][p], x);
    }
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < weights; ++r) products[r] = (integers)sums[r];
#else
  (void)fine;
#pragma clang loop unroll(full)
  for (int r = 0; r < weights; ++r) products[r] = (integers)0;
#pragma clang loop unroll(full)
  for (int p = 0; p < planes; ++p) {
    const plane x = plane_at(numbers + p * PLANE * 2);
#pragma clang loop unroll(full)
    for (int r = 0; r < weights; ++r) products[r] = multiply_pairs(products[r], codes[r][p], x);
  }
#endif
}

/// A weight, and what is computed from it once for many rows.
typedef struct {
  ckernels_quantized weight;
  moves moves;
  integers lanes;
  const uint8_t *table;
  /// Where a form's scales and sums of groups begin.
  size_t scales_at, sums_at;
  vector zero;
} quantized_reader;

INLINE quantized_reader reader_of(int bits, const ckernels_quantized *w) {
  const form f = form_of(w);
  return (quantized_reader){
      *w,
      moves_of(bits, planes_of(bits)),
      lane_starts(bits),
      table_of(w),
      form_scales_at(f, w->inputs),
      form_sums_at(f, w->inputs),
      all(-(float)zero_of(w)),
  };
}

/// The scales of WIDTH groups: those of several rows of a weight, for a single row of numbers times its own, and for
/// more rows of numbers where theirs are.
typedef struct {
  vector weights[MOST_WEIGHTS];
  size_t numbers_at;
} group_scales;

/// Adds the products of the chunk at code `at`; of its bytes, `count` are there.
INLINE void add_chunk(int bits, bool fine, bool looks_up, int weights, int rows, const quantized_reader *q,
                      const uint8_t *from, size_t count, size_t at, group_scales scales, const uint8_t *const *forms,
                      size_t place, vector (*sums)[QUANTIZED_ROWS]) {
  const int planes = planes_of(bits), shift = q->weight.group_shift;
  plane c[MOST_WEIGHTS][CODE_PLANES];
  vector s[MOST_WEIGHTS];
#pragma clang loop unroll(full)
  for (int r = 0; r < weights; ++r) {
    read_planes(bits, q->moves, from + r * q->weight.row_bytes, count, c[r]);
    if (looks_up) look_up(q->table, planes, c[r]);
    s[r] = lane_scales(scales.weights[r], q->lanes, at, bits, shift);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; ++i) {
    integers products[MOST_WEIGHTS];
    chunk_products(planes, fine, weights, c, forms[i] + place, products);
    const vector step = rows > 1 ? lane_scales(load(forms[i] + scales.numbers_at), q->lanes, at, bits, shift) : all(1);
#pragma clang loop unroll(full)
    for (int r = 0; r < weights; ++r)
      sums[r][i] = fused(__builtin_convertvector(products[r], vector), rows > 1 ? s[r] * step : s[r], sums[r][i]);
  }
}

/// sums[r][i] = the lanes of the product of row output + r of the weight with row i of the numbers.
INLINE void quantized_tile(int bits, bool fine, bool looks_up, int weights, int rows, const quantized_reader *q,
                           size_t output, const uint8_t *const *forms, vector (*sums)[QUANTIZED_ROWS]) {
  const ckernels_quantized *w = &q->weight;
  const size_t step = form_step(planes_of(bits), fine), codes = chunk_codes(bits), bytes = chunk_bytes(bits);
  const size_t groups = w->row_groups, register_codes = (size_t)WIDTH << w->group_shift;
  // What is behind a chunk of codes that cross bytes is read with it.
  const size_t slack = MULTIPLIES_BYTES || 16 % bits == 0 ? 0 : CHUNK_SLACK;
  const uint8_t *from = w->codes + output * w->row_bytes;
#pragma clang loop unroll(full)
  for (int r = 0; r < weights; ++r)
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; ++i) sums[r][i] = all(0);
  size_t place = 0, byte = 0;
  // Prefetchers do not follow rows that take turns, so what comes next is asked for in the order of memory.
  const uint8_t *next = from + DOT_AHEAD;
  for (size_t start = 0; start < w->inputs; start += register_codes) {
    const size_t group = start >> w->group_shift, end = least(start + register_codes, w->inputs);
    group_scales scales = {.numbers_at = q->scales_at + group * sizeof(float)};
#pragma clang loop unroll(full)
    for (int r = 0; r < weights; ++r) {
      const size_t first = (output + r) * groups + group;
      const vector own = scales_of(w->scale_type, w->scales, first, groups - group);
      scales.weights[r] = rows > 1 ? own : own * load(forms[0] + scales.numbers_at);
      // What codes stand for besides.
      const vector b = w->kind == CKERNELS_AFFINE ? scales_of(w->scale_type, w->biases, first, groups - group) : q->zero * own;
#pragma clang loop unroll(full)
      for (int i = 0; i < rows; ++i)
        sums[r][i] = fused(b, load(forms[i] + q->sums_at + group * sizeof(float)), sums[r][i]);
    }
    size_t at = start;
    for (; at + codes <= end && byte + bytes + slack <= w->row_bytes; at += codes, byte += bytes, place += step) {
#pragma clang loop unroll(full)
      for (int r = 0; r < weights; ++r, next += bytes) __builtin_prefetch(next);
      add_chunk(bits, fine, looks_up, weights, rows, q, from + byte, bytes + slack, at, scales, forms, place, sums);
    }
    for (; at < end; at += codes, byte += bytes, place += step)
      add_chunk(bits, fine, looks_up, weights, rows, q, from + byte, w->row_bytes - byte, at, scales, forms, place,
                sums);
  }
}

/// Rows of a weight in a tile: they share the loads of numbers, as far as there are registers.
INLINE int tile_weights(int bits, int rows) {
  if (WIDTH == 16) return rows == 1 ? MOST_WEIGHTS : 2;
  return planes_of(bits) <= 4 && rows <= 2 ? 2 : 1;
}

INLINE void quantized_rows_of(int bits, bool fine, bool looks_up, size_t outputs, int rows, const quantized_reader *q,
                              size_t first, const uint8_t *const *forms, vector (*to)[DOT_OUTPUTS]) {
  const int weights = tile_weights(bits, rows);
  vector sums[MOST_WEIGHTS][QUANTIZED_ROWS];
  size_t n = 0;
  for (; n + weights <= outputs; n += weights) {
    quantized_tile(bits, fine, looks_up, weights, rows, q, first + n, forms, sums);
#pragma clang loop unroll(full)
    for (int r = 0; r < weights; ++r)
#pragma clang loop unroll(full)
      for (int i = 0; i < rows; ++i) to[i][n + r] = sums[r][i];
  }
  for (; n < outputs; ++n) {
    quantized_tile(bits, fine, looks_up, 1, rows, q, first + n, forms, sums);
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; ++i) to[i][n] = sums[0][i];
  }
}

INLINE void quantized_tiles(int bits, bool fine, bool looks_up, size_t outputs, const ckernels_quantized *w,
                            size_t first, size_t rows, const uint8_t *const *forms, vector (*sums)[DOT_OUTPUTS]) {
  const quantized_reader q = reader_of(bits, w);
  size_t i = 0;
#if WIDTH == 16
  for (; i + 8 <= rows; i += 8) quantized_rows_of(bits, fine, looks_up, outputs, 8, &q, first, forms + i, sums + i);
#endif
  for (; i + 4 <= rows; i += 4) quantized_rows_of(bits, fine, looks_up, outputs, 4, &q, first, forms + i, sums + i);
  for (; i + 2 <= rows; i += 2) quantized_rows_of(bits, fine, looks_up, outputs, 2, &q, first, forms + i, sums + i);
  for (; i < rows; ++i) quantized_rows_of(bits, fine, looks_up, outputs, 1, &q, first, forms + i, sums + i);
}

// One function per width and precision, so that the compiler may treat each by itself.
#define QUANTIZED_TILES(NAME, BITS, FINE, LOOKS_UP)                                                               \
  static __attribute__((noinline)) void NAME(size_t outputs, const ckernels_quantized *w, size_t first, size_t rows, \
                                             const uint8_t *const *forms, vector (*sums)[DOT_OUTPUTS]) {            \
    quantized_tiles(BITS, FINE, LOOKS_UP, outputs, w, first, rows, forms, sums);                                   \
  }
QUANTIZED_TILES(tiles_of_2, 2, false, false)
QUANTIZED_TILES(tiles_of_3, 3, false, false)
QUANTIZED_TILES(tiles_of_4, 4, false, false)
QUANTIZED_TILES(tiles_of_5, 5, false, false)
QUANTIZED_TILES(tiles_of_6, 6, false, false)
QUANTIZED_TILES(tiles_of_8, 8, false, false)
QUANTIZED_TILES(tiles_of_table, 4, false, true)
QUANTIZED_TILES(fine_tiles_of_2, 2, true, false)
QUANTIZED_TILES(fine_tiles_of_3, 3, true, false)
QUANTIZED_TILES(fine_tiles_of_4, 4, true, false)
QUANTIZED_TILES(fine_tiles_of_5, 5, true, false)
QUANTIZED_TILES(fine_tiles_of_6, 6, true, false)
QUANTIZED_TILES(fine_tiles_of_8, 8, true, false)
QUANTIZED_TILES(fine_tiles_of_table, 4, true, true)

/// to[i][n] = row first + n of the weight · row i, for up to DOT_OUTPUTS outputs and DOT_ROWS rows.
static void quantized_products(const ckernels_quantized *w, size_t outputs, size_t first, size_t rows,
                               const uint8_t *const *forms, float to[DOT_ROWS][DOT_OUTPUTS]) {
  typedef void (*function)(size_t, const ckernels_quantized *, size_t, size_t, const uint8_t *const *,
                           vector(*)[DOT_OUTPUTS]);
  static const function functions[2][7] = {
      {tiles_of_2, tiles_of_3, tiles_of_4, tiles_of_5, tiles_of_6, tiles_of_table, tiles_of_8},
      {fine_tiles_of_2, fine_tiles_of_3, fine_tiles_of_4, fine_tiles_of_5, fine_tiles_of_6, fine_tiles_of_table,
       fine_tiles_of_8},
  };
  vector sums[DOT_ROWS][DOT_OUTPUTS];
  functions[w->fine][table_of(w) ? 5 : w->bits - 2](outputs, w, first, rows, forms, sums);
  for (size_t i = 0; i < rows; ++i) {
    for (size_t r = outputs; r % WIDTH; ++r) sums[i][r] = all(0);
    for (size_t r = 0; r < outputs; r += WIDTH) store(to[i] + r, sums_of_each(sums[i] + r));
  }
}

static void quantized_dots(const ckernels_quantized_linear *work, size_t first, size_t last) {
  const ckernels_quantized *w = &work->weight;
  const size_t bytes = quantized_form_bytes(w->inputs, quantized_form(w));
  float sums[DOT_ROWS][DOT_OUTPUTS];
  for (size_t n = first; n < last; n += DOT_OUTPUTS) {
    const size_t outputs = least(DOT_OUTPUTS, last - n);
    for (size_t start = 0; start < work->rows; start += DOT_ROWS) {
      const size_t rows = least(DOT_ROWS, work->rows - start);
      const uint8_t *forms[DOT_ROWS];
      for (size_t i = 0; i < rows; ++i) forms[i] = (const uint8_t *)work->forms + (start + i) * bytes;
      quantized_products(w, outputs, n, rows, forms, sums);
      for (size_t i = 0; i < rows; ++i)
        for (size_t r = 0; r < outputs; r += WIDTH) {
          const size_t count = outputs - r;
          vector y = load(sums[i] + r);
          if (work->bias) y = y + load_part(work->bias + n + r, count);
          store_part(work->result + (start + i) * work->outputs + n + r, count, y);
        }
    }
  }
}

#endif
