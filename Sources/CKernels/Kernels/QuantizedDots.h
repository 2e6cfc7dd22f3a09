// Dot products of a packed weight with few rows of rounded numbers: they read every code once, in place.
//
// Products of codes and numbers are whole, so their sums are exact; the sum of a chunk's products in each lane is
// multiplied with the scales of its group of weights and of its block of numbers, and added up in f32. What a code
// stands for besides, a bias or the zero of symmetric codes, is one more product per group.
#ifndef CKERNELS_QUANTIZED_DOTS_H
#define CKERNELS_QUANTIZED_DOTS_H

#include "Dot.h"
#include "QuantizedForms.h"

enum {
#if WIDTH == 16
  /// The most rows of numbers of one tile.
  QUANTIZED_ROWS = 8,
#else
  QUANTIZED_ROWS = 4,
#endif
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

/// The sums of products of a chunk's planes with the numbers of a row.
INLINE integers chunk_products(int planes, bool fine, const plane *codes, const uint8_t *numbers) {
#if MULTIPLIES_BYTES
  __m512i sum = _mm512_setzero_si512();
#pragma clang loop unroll(full)
  for (int p = 0; p < planes; ++p) sum = _mm512_dpbusd_epi32(sum, codes[p], _mm512_loadu_si512(numbers + p * PLANE));
  if (!fine) return (integers)sum;
  sum = _mm512_slli_epi32(sum, 8);
#pragma clang loop unroll(full)
  for (int p = 0; p < planes; ++p)
    sum = _mm512_dpbusd_epi32(sum, codes[p], _mm512_loadu_si512(numbers + (planes + p) * PLANE));
  return (integers)sum;
#else
  (void)fine;
  integers sum = (integers)0;
#pragma clang loop unroll(full)
  for (int p = 0; p < planes; ++p) {
    plane x;
    __builtin_memcpy(&x, numbers + p * PLANE * 2, sizeof x);
    sum = multiply_pairs(sum, codes[p], x);
  }
  return sum;
#endif
}

/// sums[i] = the lanes of the product of one row of the weight with row i of the numbers.
INLINE void quantized_tile(int bits, bool fine, bool looks_up, int rows, const ckernels_quantized *w, size_t output,
                           const uint8_t *const *forms, vector *to, size_t to_step) {
  const int planes = planes_of(bits), shift = w->group_shift;
  const size_t step = form_step(planes, fine), codes = chunk_codes(bits), bytes = chunk_bytes(bits);
  const size_t groups = w->row_groups, numbers = form_numbers(planes, fine), first_group = output * groups;
  const uint8_t *from = w->codes + output * w->row_bytes;
  const uint8_t *table = table_of(w);
  const moves m = moves_of(bits);
  const integers lanes = lane_starts(bits);
  vector sums[QUANTIZED_ROWS], scales = all(0);
  size_t next = 0;  // where the scales of the next WIDTH groups begin
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; ++i) sums[i] = all(0);
  const size_t register_codes = (size_t)WIDTH << shift;
  size_t chunk = 0;
  for (size_t at = 0; at < w->inputs; at += codes, ++chunk) {
    if (at >= next) {
      scales = scales_of(w->scale_type, w->scales, first_group + (at >> shift), groups - (at >> shift));
      next = at + register_codes;
    }
    plane c[CODE_PLANES];
    read_planes(bits, m, from + chunk * bytes, w->row_bytes - chunk * bytes, c);
    if (looks_up) look_up(table, planes, c);
    const vector s = lane_scales(scales, lanes, at, bits, shift);
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; ++i) {
      const uint8_t *x = forms[i] + chunk * step;
      const integers products = chunk_products(planes, fine, c, x);
      sums[i] = fused(__builtin_convertvector(products, vector), s * load(x + numbers), sums[i]);
    }
  }
  // What codes stand for besides.
  const bool affine = w->kind == CKERNELS_AFFINE;
  const vector zero = all(-(float)zero_of(w));
  const size_t sums_at = form_sums_at(planes, fine, w->inputs, shift);
  for (size_t g = 0; g < groups; g += WIDTH) {
    const vector b = affine ? scales_of(w->scale_type, w->biases, first_group + g, groups - g)
                            : zero * scales_of(w->scale_type, w->scales, first_group + g, groups - g);
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; ++i) sums[i] = fused(b, load(forms[i] + sums_at + g * sizeof(float)), sums[i]);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; ++i) to[i * to_step] = sums[i];
}

INLINE void quantized_tiles(int bits, bool fine, bool looks_up, size_t outputs, const ckernels_quantized *w,
                            size_t first, size_t rows, const uint8_t *const *forms, vector (*sums)[DOT_OUTPUTS]) {
  size_t i = 0;
#if WIDTH == 16
  for (; i + 8 <= rows; i += 8)
    for (size_t r = 0; r < outputs; ++r)
      quantized_tile(bits, fine, looks_up, 8, w, first + r, forms + i, sums[i] + r, DOT_OUTPUTS);
#endif
  for (; i + 4 <= rows; i += 4)
    for (size_t r = 0; r < outputs; ++r)
      quantized_tile(bits, fine, looks_up, 4, w, first + r, forms + i, sums[i] + r, DOT_OUTPUTS);
  for (; i + 2 <= rows; i += 2)
    for (size_t r = 0; r < outputs; ++r)
      quantized_tile(bits, fine, looks_up, 2, w, first + r, forms + i, sums[i] + r, DOT_OUTPUTS);
  for (; i < rows; ++i)
    for (size_t r = 0; r < outputs; ++r)
      quantized_tile(bits, fine, looks_up, 1, w, first + r, forms + i, sums[i] + r, DOT_OUTPUTS);
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
