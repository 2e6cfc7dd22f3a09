// Rows of a packed weight as numbers: for products with many rows, and for rows that are looked up.
#ifndef CKERNELS_QUANTIZED_ROWS_H
#define CKERNELS_QUANTIZED_ROWS_H

#include "QuantizedCodes.h"

/// WIDTH codes from code `at` of a row on, a multiple of WIDTH, as whole numbers. Four codes are within one word; up to
/// three bytes behind the last one are read.
INLINE word_bits codes_at(int bits, const uint8_t *row, size_t at) {
  word_bits words;
#pragma clang loop unroll(full)
  for (int q = 0; q < WIDTH; q += 4) {
    const size_t bit = (at + q) * bits;
    uint32_t word;
    __builtin_memcpy(&word, row + bit / 8, sizeof word);
    word >>= bit % 8;
#pragma clang loop unroll(full)
    for (int l = 0; l < 4; ++l) words[q + l] = word;
  }
  return words >> (((word_bits)lane_numbers() & 3u) * (uint32_t)bits) & ((1u << bits) - 1);
}

/// The scale and the bias of one group.
INLINE void group_of(const ckernels_quantized *w, size_t group, float *scale, float *bias) {
  *scale = scale_at(w->scale_type, w->scales, group);
  *bias = w->kind == CKERNELS_AFFINE ? scale_at(w->scale_type, w->biases, group) : 0;
}

/// code · scale + bias, each rounded once; (code - zero) · scale for symmetric codes.
INLINE vector values_of(const ckernels_quantized *w, word_bits codes, float scale, float bias) {
  const uint8_t *table = table_of(w);
  if (table)
    for (int i = 0; i < WIDTH; ++i) codes[i] = table[codes[i]];
  const vector code = __builtin_convertvector((integers)codes, vector);
  if (w->kind == CKERNELS_AFFINE) return code * scale + bias;
  return (code - (float)zero_of(w)) * scale;
}

INLINE void unpack_floats(int bits, const ckernels_quantized *w, size_t output, float *to) {
  const uint8_t *row = w->codes + output * w->row_bytes;
  for (size_t first = 0; first < w->inputs; first += ROUND) {
    const size_t count = least(ROUND, w->inputs - first), byte = first * bits / 8, needed = (size_t)ROUND * bits / 8 + 4;
    uint8_t copy[ROUND + 4] = {0};
    const uint8_t *from = row + byte;
    if (byte + needed > w->row_bytes) {
      for (size_t i = 0; i < least(needed, w->row_bytes - byte); ++i) copy[i] = from[i];
      from = copy;
    }
    float scale, bias;
    group_of(w, output * w->row_groups + (first >> w->group_shift), &scale, &bias);
    for (size_t i = 0; i < count; i += WIDTH)
      store_part(to + first + i, count - i, values_of(w, codes_at(bits, from, i), scale, bias));
  }
}

#define WITH_BITS(w, CALL)      \
  switch ((w)->bits) {          \
    case 2: CALL(2); break;     \
    case 3: CALL(3); break;     \
    case 4: CALL(4); break;     \
    case 5: CALL(5); break;     \
    case 6: CALL(6); break;     \
    default: CALL(8); break;    \
  }

/// Row `output` as f32.
static void unpack_row(const ckernels_quantized *w, size_t output, float *to) {
#define CALL(BITS) unpack_floats(BITS, w, output, to)
  WITH_BITS(w, CALL)
#undef CALL
}

static void quantized_rows(const ckernels_quantized *weight, size_t first, size_t last, float *to) {
  for (size_t row = first; row < last; ++row, to += weight->inputs) unpack_row(weight, row, to);
}

#if MULTIPLIES_BF16
/// 32 codes as bf16 numbers by a table of all values of a group.
INLINE __m512i table_values(__m512i table, __m256i codes) {
  return _mm512_permutexvar_epi16(_mm512_cvtepu8_epi16(codes), table);
}

/// The bf16 values of codes 0 to 31 in a group.
INLINE __m512i value_table(const ckernels_quantized *w, float scale, float bias) {
  const word_bits low = (word_bits)lane_numbers();
  const vector a = values_of(w, low & 15u, scale, bias), b = values_of(w, w->bits > 4 ? low + 16u : low & 15u, scale, bias);
  return (__m512i)_mm512_cvtne2ps_pbh((__m512)b, (__m512)a);
}

INLINE __m512i plain_values(const ckernels_quantized *w, __m256i codes, float scale, float bias) {
  const word_bits low = (word_bits)_mm512_cvtepu8_epi32(_mm256_castsi256_si128(codes));
  const word_bits high = (word_bits)_mm512_cvtepu8_epi32(_mm256_extracti128_si256(codes, 1));
  return (__m512i)_mm512_cvtne2ps_pbh((__m512)values_of(w, high, scale, bias), (__m512)values_of(w, low, scale, bias));
}

/// Row `output` as bf16, 64 numbers at a time.
INLINE void unpack_bf16(int bits, const ckernels_quantized *w, size_t output, uint16_t *to) {
  const uint8_t *row = w->codes + output * w->row_bytes;
  const moves m = moves_of(bits, 1);
  for (size_t first = 0; first < w->inputs; first += 64) {
    const size_t byte = first * bits / 8;
    const __m512i raw = chunk_of(row + byte, least((size_t)8 * bits, w->row_bytes - byte));
    const __m512i codes = bits == 8 ? raw : moved_codes(bits, m, 0, raw);
    const size_t group = output * w->row_groups;
    __m512i table = _mm512_setzero_si512();
    float scale = 0, bias = 0;
#pragma clang loop unroll(full)
    for (int half = 0; half < 2; ++half) {
      const size_t at = first + 32 * half;
      if (at >= w->inputs) break;
      if (half == 0 || w->group_shift == 5) {
        group_of(w, group + (at >> w->group_shift), &scale, &bias);
        if (bits <= 5) table = value_table(w, scale, bias);
      }
      const __m256i part = half ? _mm512_extracti64x4_epi64(codes, 1) : _mm512_castsi512_si256(codes);
      const __m512i values = bits <= 5 ? table_values(table, part) : plain_values(w, part, scale, bias);
      const size_t count = w->inputs - at;
      _mm512_mask_storeu_epi16(to + at, count >= 32 ? ~(__mmask32)0 : ((__mmask32)1 << count) - 1, values);
    }
  }
}
#endif

/// The form in which rows are multiplied: pairs of bf16 where the processor has them, else f32.
INLINE storage quantized_storage(void) { return MULTIPLIES_BF16 ? PAIRS : F32; }

/// Units of an unpacked row; an odd last number is followed by a zero.
INLINE size_t quantized_units(size_t inputs) { return MULTIPLIES_BF16 ? (inputs + 1) / 2 : inputs; }

/// `count` rows from `first` on, as products read them.
static void unpack_weights(const ckernels_quantized *w, size_t first, size_t count, float *to) {
  const size_t depth = quantized_units(w->inputs);
  for (size_t r = 0; r < count; ++r) {
#if MULTIPLIES_BF16
    uint16_t *row = (uint16_t *)(to + r * depth);
    if (w->inputs % 2) row[w->inputs] = 0;
#define CALL(BITS) unpack_bf16(BITS, w, first + r, row)
    WITH_BITS(w, CALL)
#undef CALL
#else
    unpack_row(w, first + r, to + r * depth);
#endif
  }
}

/// packed[k][lane] of up to WIDTH rows of f32 numbers, as products read them.
static void pack_floats(const float *const rows[WIDTH], size_t count, float *packed, size_t lanes) {
#if MULTIPLIES_BF16
  const size_t depth = quantized_units(count);
  for (size_t k = 0; k < depth; k += WIDTH) {
    vector block[WIDTH];
    for (int i = 0; i < WIDTH; ++i) {
      const size_t left = count - 2 * k;
      const vector low = rows[i] ? load_part(rows[i] + 2 * k, left) : all(0);
      const vector high = rows[i] && left > WIDTH ? load_part(rows[i] + 2 * k + WIDTH, left - WIDTH) : all(0);
      block[i] = (vector)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
    }
    transpose(block);
    for (size_t i = 0; i < least(WIDTH, depth - k); ++i) store(packed + (k + i) * lanes, block[i]);
  }
#else
  pack_rows(F32, (const void *const *)rows, count, packed, lanes);
#endif
}

#endif
