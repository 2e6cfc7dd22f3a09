// How blocks of GGUF files store their scales.
#ifndef CKERNELS_GGUF_SCALES_H
#define CKERNELS_GGUF_SCALES_H

#include <stdint.h>
#include <string.h>

static inline float f16_value(const uint8_t *bytes) {
  uint32_t half = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
  uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 31, mantissa = half & 1023;
  uint32_t bits;
  float value;
  if (exponent == 0) {  // a multiple of the smallest number, 2⁻²⁴
    value = (float)mantissa * 0x1p-24f;
    memcpy(&bits, &value, sizeof bits);
    bits |= sign;
  } else {
    bits = sign | (exponent == 31 ? 255 : exponent + 112) << 23 | mantissa << 13;
  }
  memcpy(&value, &bits, sizeof value);
  return value;
}

/// The 6-bit scale and minimum of group `g` of 8, of a Q4_K or Q5_K block.
static inline void scale_and_minimum(const uint8_t *bytes, int g, int *scale, int *minimum) {
  if (g < 4) {
    *scale = bytes[g] & 63;
    *minimum = bytes[4 + g] & 63;
  } else {
    *scale = (bytes[4 + g] & 15) | (bytes[g - 4] >> 6) << 4;
    *minimum = (bytes[4 + g] >> 4) | (bytes[g] >> 6) << 4;
  }
}

#endif
