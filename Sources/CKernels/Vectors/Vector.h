// A vector register and what kernels do with it, for every instruction set.
//
// The file that is built for an instruction set defines, before it includes this one:
//
//     WIDTH            elements of one register: 4, 8 or 16
//     FUSES            whether a product and a sum are one instruction
//     MULTIPLIES_BF16  whether one instruction multiplies pairs of bf16 numbers
//     MULTIPLIES_BYTES whether one instruction multiplies groups of four bytes, and others move bytes and their bits
//
// Clang's vector types become the best instructions of the set, or plain ones if it has none.
#ifndef CKERNELS_VECTOR_H
#define CKERNELS_VECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

// A product and a sum are one instruction only where a kernel says so.
#pragma STDC FP_CONTRACT OFF

#define INLINE static inline __attribute__((always_inline, unused))
/// For functions that not every version uses.
#define MAYBE_UNUSED __attribute__((unused))

typedef float vector __attribute__((ext_vector_type(WIDTH)));
typedef int32_t integers __attribute__((ext_vector_type(WIDTH)));
typedef uint32_t word_bits __attribute__((ext_vector_type(WIDTH)));
typedef uint16_t half_words __attribute__((ext_vector_type(WIDTH)));
/// Per lane all ones or all zeros.
typedef integers mask;

INLINE vector all(float x) { return (vector)x; }

INLINE vector load(const void *from) {
  vector v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

INLINE void store(void *to, vector v) { __builtin_memcpy(to, &v, sizeof v); }

/// a · b + c.
INLINE vector fused(vector a, vector b, vector c) {
#if FUSES
  return __builtin_elementwise_fma(a, b, c);
#else
  return a * b + c;
#endif
}

INLINE vector chosen(mask m, vector yes, vector no) { return (vector)((m & (integers)yes) | (~m & (integers)no)); }

/// The larger of two; the second if either is NaN.
INLINE vector larger(vector a, vector b) { return chosen(a > b, a, b); }
INLINE vector smaller(vector a, vector b) { return chosen(a < b, a, b); }

INLINE integers lane_numbers(void) {
#if WIDTH == 16
  return (integers){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#elif WIDTH == 8
  return (integers){0, 1, 2, 3, 4, 5, 6, 7};
#else
  return (integers){0, 1, 2, 3};
#endif
}

/// The low `count` lanes.
INLINE mask low_lanes(size_t count) { return lane_numbers() < (integers)(int32_t)(count < WIDTH ? count : WIDTH); }

INLINE bool any(mask m) { return __builtin_reduce_or(m) != 0; }

/// The sum of all lanes, by halves.
INLINE float sum_of(vector v) {
#if WIDTH == 16
  typedef float eight __attribute__((ext_vector_type(8)));
  eight e = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
            __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
#else
  vector e = v;
#endif
  typedef float four __attribute__((ext_vector_type(4)));
#if WIDTH >= 8
  four f = __builtin_shufflevector(e, e, 0, 1, 2, 3) + __builtin_shufflevector(e, e, 4, 5, 6, 7);
#else
  four f = e;
#endif
  return (f[0] + f[2]) + (f[1] + f[3]);
}

// Parts of a row: `count` elements, at least 1; only the first WIDTH of them count.

#if WIDTH == 16
INLINE __mmask16 bits_of(size_t count) { return count >= 16 ? (__mmask16)0xFFFF : (__mmask16)((1u << count) - 1); }
#endif

/// The elements, and zeros behind them.
INLINE vector load_part(const void *from, size_t count) {
#if WIDTH == 16
  return (vector)_mm512_maskz_loadu_ps(bits_of(count), from);
#else
  if (count >= WIDTH) return load(from);
  vector v = all(0);
  for (size_t i = 0; i < count; ++i) v[i] = ((const float *)from)[i];
  return v;
#endif
}

INLINE void store_part(void *to, size_t count, vector v) {
#if WIDTH == 16
  _mm512_mask_storeu_ps(to, bits_of(count), (__m512)v);
#else
  if (count >= WIDTH) return store(to, v);
  for (size_t i = 0; i < count; ++i) ((float *)to)[i] = v[i];
#endif
}

// bf16 --------------------------------------------------------------------------------------------

INLINE float bf16_value(uint16_t bits) {
  uint32_t wide = (uint32_t)bits << 16;
  float value;
  __builtin_memcpy(&value, &wide, sizeof value);
  return value;
}

/// Rounds to nearest, ties to even; NaN stays NaN.
INLINE uint16_t bf16_bits(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return (uint16_t)(bits >> 16 | 0x40);  // a quiet NaN
  return (uint16_t)((bits + 0x7FFFu + (bits >> 16 & 1)) >> 16);
}

INLINE vector widened(half_words bits) { return (vector)(__builtin_convertvector(bits, word_bits) << 16); }

INLINE half_words load_halves(const void *from) {
  half_words v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

INLINE half_words load_part_of_halves(const void *from, size_t count) {
#if WIDTH == 16
  return (half_words)_mm256_maskz_loadu_epi16(bits_of(count), from);
#else
  if (count >= WIDTH) return load_halves(from);
  half_words v = (half_words)(uint16_t)0;
  for (size_t i = 0; i < count; ++i) v[i] = ((const uint16_t *)from)[i];
  return v;
#endif
}

INLINE void store_part_of_halves(void *to, size_t count, half_words v) {
#if WIDTH == 16
  _mm256_mask_storeu_epi16(to, bits_of(count), (__m256i)v);
#else
  if (count >= WIDTH) {
    __builtin_memcpy(to, &v, sizeof v);
    return;
  }
  for (size_t i = 0; i < count; ++i) ((uint16_t *)to)[i] = v[i];
#endif
}

/// Rounds to nearest, ties to even; NaN stays NaN.
INLINE half_words narrowed(vector values) {
#if MULTIPLIES_BF16
  return (half_words)_mm512_cvtneps_pbh((__m512)values);
#else
  word_bits bits = (word_bits)values;
  word_bits rounded = (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16, quiet = bits >> 16 | 0x40u;
  word_bits unordered = (word_bits)(values != values);
  return __builtin_convertvector((unordered & quiet) | (~unordered & rounded), half_words);
#endif
}

/// `count` numbers of a row from `at` on, f32 or bf16.
INLINE vector numbers(bool narrow, const void *row, size_t at, size_t count) {
  return narrow ? widened(load_part_of_halves((const uint16_t *)row + at, count))
                : load_part((const float *)row + at, count);
}

INLINE void store_numbers(bool narrow, void *row, size_t at, size_t count, vector values) {
  if (narrow)
    store_part_of_halves((uint16_t *)row + at, count, narrowed(values));
  else
    store_part((float *)row + at, count, values);
}

INLINE float number(bool narrow, const void *row, size_t at) {
  return narrow ? bf16_value(((const uint16_t *)row)[at]) : ((const float *)row)[at];
}

#endif
