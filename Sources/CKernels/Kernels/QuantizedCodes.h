// Reading the codes and scales of packed weights, a register at a time.
//
// Codes are read in chunks. Where 8 or 16 is a multiple of the width, a chunk is one register of the file's bytes, and
// a shift and a mask give one "plane" of codes after another: no code has to be moved. Other widths cross the borders of
// bytes; their codes are moved into place, in one plane. The rows that codes are multiplied with are stored in the same
// order (see QuantizedForms.h), so the order of planes costs nothing.
//
// Versions whose processors multiply bytes (MULTIPLIES_BYTES) have a code per byte, others a code per 16 bits.
#ifndef CKERNELS_QUANTIZED_CODES_H
#define CKERNELS_QUANTIZED_CODES_H

#include "CKernels.h"
#include "Tile.h"

enum {
  /// Codes of one plane.
  PLANE = MULTIPLIES_BYTES ? 4 * WIDTH : 2 * WIDTH,
  /// The most planes of a chunk.
  CODE_PLANES = MULTIPLIES_BYTES ? 4 : 8,
  /// The smallest group.
  ROUND = 32,
  /// Bytes behind a chunk that may be read with it.
  CHUNK_SLACK = 8,
};

/// One plane.
#if MULTIPLIES_BYTES
typedef __m512i plane;
#else
typedef uint16_t plane __attribute__((ext_vector_type(2 * WIDTH)));
#endif

/// Planes of a chunk.
INLINE int planes_of(int bits) {
  const int unit = MULTIPLIES_BYTES ? 8 : 16;
  // Two planes of 3 bits fill a register with 48 bytes, where one would have 24.
  return unit % bits == 0 ? unit / bits : MULTIPLIES_BYTES && bits == 3 ? 2 : 1;
}

INLINE size_t chunk_codes(int bits) { return (size_t)PLANE * planes_of(bits); }

INLINE size_t chunk_bytes(int bits) { return chunk_codes(bits) * bits / 8; }

/// What the table of a kind adds to its values, so that none is negative; the code of 0 for symmetric weights.
INLINE int zero_of(const ckernels_quantized *w) {
  return w->kind == CKERNELS_FP4 ? 12 : w->kind == CKERNELS_NL4 ? 127 : 1 << (w->bits - 1);
}

/// Twice the values of FP4 (1 bit sign, 2 exponent, 1 mantissa), and those of NL4, both with their zero added.
static const uint8_t fp4_values[16] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};
static const uint8_t nl4_values[16] = {0,   23,  44,  62,  78,  92,  105, 117,
                                       128, 140, 152, 165, 180, 196, 216, 240};

INLINE const uint8_t *table_of(const ckernels_quantized *w) {
  return w->kind == CKERNELS_FP4 ? fp4_values : w->kind == CKERNELS_NL4 ? nl4_values : NULL;
}

// Planes ------------------------------------------------------------------------------------------

#if MULTIPLIES_BYTES

/// Where the bytes of the codes of a plane are, and how far to shift them.
typedef struct {
  __m512i bytes, shifts;
} moves;

/// The moves of the first of some planes: of each eight bytes of a plane, the codes lie together.
INLINE moves moves_of(int bits, int planes) {
  uint8_t bytes[64], shifts[64];
  const int step = bits * planes;
  for (int i = 0; i < 64; ++i) {
    bytes[i] = (uint8_t)(i / 8 * step + (i % 8 < step ? i % 8 : 0));
    shifts[i] = (uint8_t)(i % 8 * step);
  }
  return (moves){_mm512_loadu_si512(bytes), _mm512_loadu_si512(shifts)};
}

/// 64 codes: those of a plane, or all in their order if there is one.
INLINE __m512i moved_codes(int bits, moves m, int plane, __m512i raw) {
  const __m512i shifts = _mm512_add_epi8(m.shifts, _mm512_set1_epi8((char)(plane * bits)));
  const __m512i codes = _mm512_multishift_epi64_epi8(shifts, _mm512_permutexvar_epi8(m.bytes, raw));
  return _mm512_and_si512(codes, _mm512_set1_epi8((char)((1 << bits) - 1)));
}

/// The first `count` bytes of a chunk, and zeros.
INLINE __m512i chunk_of(const uint8_t *from, size_t count) {
  return _mm512_maskz_loadu_epi8(count >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << count) - 1, from);
}

INLINE void read_planes(int bits, moves m, const uint8_t *from, size_t count, plane *to) {
  const size_t whole = chunk_bytes(bits);
  const __m512i raw = whole == 64 && count >= 64 ? _mm512_loadu_si512(from) : chunk_of(from, least(count, whole));
  if (8 % bits) {
#pragma clang loop unroll(full)
    for (int p = 0; p < planes_of(bits); ++p) to[p] = moved_codes(bits, m, p, raw);
    return;
  }
  const __m512i low = _mm512_set1_epi8((char)((1 << bits) - 1));
#pragma clang loop unroll(full)
  for (int p = 0; p < planes_of(bits); ++p)
    to[p] = bits == 8 ? raw : _mm512_and_si512(p ? _mm512_srli_epi16(raw, p * bits) : raw, low);
}

INLINE void look_up(const uint8_t *table, int planes, plane *codes) {
  const __m512i t = _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)table));
#pragma clang loop unroll(full)
  for (int p = 0; p < planes; ++p) codes[p] = _mm512_shuffle_epi8(t, codes[p]);
}

#else

typedef struct {
  char unused;
} moves;

INLINE moves moves_of(int bits, int planes) {
  (void)bits;
  (void)planes;
  return (moves){0};
}

/// 2 · WIDTH codes of a width that crosses bytes, in their order: eight codes fill `bits` bytes.
INLINE plane moved_codes(int bits, const uint8_t *from) {
  plane codes;
#if defined(__x86_64__) && WIDTH >= 8
  uint8_t bytes[16];
  uint16_t factors[8];
  for (int i = 0; i < 8; ++i) {
    bytes[2 * i] = (uint8_t)(i * bits / 8);
    bytes[2 * i + 1] = (uint8_t)(i * bits / 8 + 1);
    factors[i] = (uint16_t)(1 << (16 - bits - i * bits % 8));
  }
  const __m128i order = _mm_loadu_si128((const void *)bytes), factor = _mm_loadu_si128((const void *)factors);
  __m128i part[WIDTH / 4];
#pragma clang loop unroll(full)
  for (int i = 0; i < WIDTH / 4; ++i)
    part[i] = _mm_srli_epi16(
        _mm_mullo_epi16(_mm_shuffle_epi8(_mm_loadl_epi64((const void *)(from + i * bits)), order), factor), 16 - bits);
  __builtin_memcpy(&codes, part, sizeof codes);
#elif defined(__aarch64__)
  uint8_t bytes[16];
  int16_t shifts[8];
  for (int i = 0; i < 8; ++i) {
    bytes[2 * i] = (uint8_t)(i * bits / 8);
    bytes[2 * i + 1] = (uint8_t)(i * bits / 8 + 1);
    shifts[i] = (int16_t)(-(i * bits % 8));
  }
  const uint8x16_t raw = vcombine_u8(vld1_u8(from), vdup_n_u8(0));
  const uint16x8_t words = vreinterpretq_u16_u8(vqtbl1q_u8(raw, vld1q_u8(bytes)));
  const uint16x8_t found = vandq_u16(vshlq_u16(words, vld1q_s16(shifts)), vdupq_n_u16((uint16_t)((1 << bits) - 1)));
  __builtin_memcpy(&codes, &found, sizeof codes);
#else
  for (int e = 0; e < PLANE; e += 8) {
    uint64_t word;
    __builtin_memcpy(&word, from + e / 8 * bits, sizeof word);
    for (int i = 0; i < 8; ++i) codes[e + i] = (uint16_t)(word >> i * bits & ((1u << bits) - 1));
  }
#endif
  return codes;
}

INLINE void read_whole_planes(int bits, const uint8_t *from, plane *to) {
  if (16 % bits) {
    to[0] = moved_codes(bits, from);
    return;
  }
  plane raw;
  __builtin_memcpy(&raw, from, sizeof raw);
#pragma clang loop unroll(full)
  for (int p = 0; p < planes_of(bits); ++p) to[p] = raw >> (uint16_t)(p * bits) & (uint16_t)((1 << bits) - 1);
}

/// `count` bytes belong to the row from here on; what is not there counts as zeros.
INLINE void read_planes(int bits, moves m, const uint8_t *from, size_t count, plane *to) {
  (void)m;
  const size_t whole = chunk_bytes(bits) + (16 % bits ? CHUNK_SLACK : 0);
  if (count >= whole) return read_whole_planes(bits, from, to);
  uint8_t copy[4 * WIDTH + CHUNK_SLACK] = {0};
  for (size_t i = 0; i < least(count, chunk_bytes(bits)); ++i) copy[i] = from[i];
  read_whole_planes(bits, copy, to);
}

INLINE void look_up(const uint8_t *table, int planes, plane *codes) {
#pragma clang loop unroll(full)
  for (int p = 0; p < planes; ++p) {
#if defined(__x86_64__) && WIDTH == 16
    const __m512i t = _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)table));
    codes[p] = (plane)_mm512_shuffle_epi8(t, (__m512i)codes[p]) & (uint16_t)255;
#elif defined(__x86_64__) && WIDTH == 8
    const __m256i t = _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)table));
    codes[p] = (plane)_mm256_shuffle_epi8(t, (__m256i)codes[p]) & (uint16_t)255;
#else
    for (int i = 0; i < PLANE; ++i) codes[p][i] = table[codes[p][i]];
#endif
  }
}

#endif

// Scales ------------------------------------------------------------------------------------------

/// binary16 as f32, exact for all finite numbers.
INLINE vector from_f16(half_words bits) {
  const word_bits wide = __builtin_convertvector(bits, word_bits);
  const vector magnitude = (vector)((wide & 0x7FFFu) << 13) * 0x1p112f;
  return (vector)((word_bits)magnitude | (wide & 0x8000u) << 16);
}

/// Powers of two, half of 2^(bits - 127): the other half is in the values of FP4.
INLINE vector from_e8m0(const uint8_t *from, size_t count) {
#if WIDTH == 16
  const word_bits exponent = (word_bits)_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(bits_of(count), from));
#else
  word_bits exponent = (word_bits)0;
  for (size_t i = 0; i < WIDTH && i < count; ++i) exponent[i] = from[i];
#endif
  // Below 2 the number is subnormal.
  const word_bits small = (word_bits)(exponent < 2), normal = (exponent - 1) << 23, subnormal = (word_bits)0x200000u << exponent;
  return (vector)((small & subnormal) | (~small & normal));
}

/// `count` scales or biases from `at` on, and zeros.
INLINE vector scales_of(ckernels_scale type, const void *from, size_t at, size_t count) {
  switch (type) {
    case CKERNELS_SCALE_F32: return load_part((const float *)from + at, count);
    case CKERNELS_SCALE_BF16: return widened(load_part_of_halves((const uint16_t *)from + at, count));
    case CKERNELS_SCALE_F16: return from_f16(load_part_of_halves((const uint16_t *)from + at, count));
    default: {
      const vector v = from_e8m0((const uint8_t *)from + at, count);
      return chosen(low_lanes(count), v, all(0));
    }
  }
}

/// One scale or bias.
INLINE float scale_at(ckernels_scale type, const void *from, size_t at) {
  switch (type) {
    case CKERNELS_SCALE_F32: return ((const float *)from)[at];
    case CKERNELS_SCALE_BF16: return bf16_value(((const uint16_t *)from)[at]);
    default: return scales_of(type, from, at, 1)[0];
  }
}

/// The scale of each lane's codes in the chunk that begins at code `at`, from a register with the scales of WIDTH groups.
INLINE vector lane_scales(vector scales, integers lane_start, size_t at, int bits, int shift) {
#if WIDTH == 16
  (void)bits;
  return (vector)_mm512_permutexvar_ps((__m512i)((lane_start + (int32_t)at) >> shift), (__m512)scales);
#elif WIDTH == 8
  (void)bits;
  return (vector)_mm256_permutevar8x32_ps((__m256)scales, (__m256i)((lane_start + (int32_t)at) >> shift));
#else
  (void)lane_start;
  const float low = scales[(at >> shift) & 3], high = scales[((at + chunk_codes(bits) / 2) >> shift) & 3];
  return (vector){low, low, high, high};
#endif
}

/// The first code of each lane in a chunk.
INLINE integers lane_starts(int bits) { return lane_numbers() * (int32_t)(chunk_codes(bits) / WIDTH); }

#endif
