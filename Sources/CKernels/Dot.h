// Dot products of two rows. They read every weight once and are limited by memory; four independent
// sums per row keep enough loads in flight.
#ifndef CKERNELS_DOT_H
#define CKERNELS_DOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline float bf16_value(uint16_t bits) {
  uint32_t wide = (uint32_t)bits << 16;
  float value;
  memcpy(&value, &wide, sizeof value);
  return value;
}

static inline uint16_t bf16_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return (uint16_t)(bits >> 16 | 0x40);  // a quiet NaN
  return (uint16_t)((bits + 0x7FFFu + (bits >> 16 & 1)) >> 16);
}

static inline float dot_f32_plain(const float *a, const float *b, size_t count) {
  float sum = 0;
  for (size_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

static inline float dot_bf16_plain(const uint16_t *a, const uint16_t *b, size_t count) {
  float sum = 0;
  for (size_t i = 0; i < count; ++i) sum += bf16_value(a[i]) * bf16_value(b[i]);
  return sum;
}

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw")))

AVX512 static inline float dot_f32_avx512(const float *a, const float *b, size_t count) {
  __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
  size_t i = 0;
  for (; i + 64 <= count; i += 64) {
    s0 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), s0);
    s1 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 16), _mm512_loadu_ps(b + i + 16), s1);
    s2 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 32), _mm512_loadu_ps(b + i + 32), s2);
    s3 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 48), _mm512_loadu_ps(b + i + 48), s3);
  }
  for (; i < count; i += 16) {
    __mmask16 mask = count - i < 16 ? (__mmask16)((1u << (count - i)) - 1) : (__mmask16)0xFFFF;
    s0 = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, a + i), _mm512_maskz_loadu_ps(mask, b + i), s0);
  }
  return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3)));
}

AVX512 static inline __m512 widened(__m256i bits) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

AVX512 static inline __m512 loaded(const uint16_t *from) {
  return widened(_mm256_loadu_si256((const __m256i *)from));
}

/// Loads 16 elements of a row: bf16 if `narrow`, f32 otherwise.
AVX512 static inline __attribute__((always_inline)) __m512 numbers(bool narrow, const void *row, size_t at) {
  return narrow ? loaded((const uint16_t *)row + at) : _mm512_loadu_ps((const float *)row + at);
}

AVX512 static inline __attribute__((always_inline)) float dot_of_bf16(const uint16_t *a, bool narrow, const void *b,
                                                                      size_t count) {
  __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
  size_t i = 0;
  for (; i + 64 <= count; i += 64) {
    s0 = _mm512_fmadd_ps(loaded(a + i), numbers(narrow, b, i), s0);
    s1 = _mm512_fmadd_ps(loaded(a + i + 16), numbers(narrow, b, i + 16), s1);
    s2 = _mm512_fmadd_ps(loaded(a + i + 32), numbers(narrow, b, i + 32), s2);
    s3 = _mm512_fmadd_ps(loaded(a + i + 48), numbers(narrow, b, i + 48), s3);
  }
  for (; i + 16 <= count; i += 16) s0 = _mm512_fmadd_ps(loaded(a + i), numbers(narrow, b, i), s0);
  float sum = _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3))), rest = 0;
  for (; i < count; ++i)
    rest += bf16_value(a[i]) * (narrow ? bf16_value(((const uint16_t *)b)[i]) : ((const float *)b)[i]);
  return sum + rest;
}

AVX512 static inline float dot_bf16_avx512(const uint16_t *a, const uint16_t *b, size_t count) {
  return dot_of_bf16(a, true, b, count);
}

/// The dot product of a bf16 row and an f32 row.
AVX512 static inline float dot_mixed_avx512(const uint16_t *a, const float *b, size_t count) {
  return dot_of_bf16(a, false, b, count);
}

static inline bool has_avx512(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
}
#endif

#endif
