// Converts blocks of 32 elements, as GGUF files store them, to f32. Products and sums round once
// each, as in the format's reference implementation.

#include "CKernels.h"

#include <string.h>

#pragma STDC FP_CONTRACT OFF

static float f16_value(const uint8_t *bytes) {
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

void ckernels_gguf_q8_0(const uint8_t *blocks, float *values, size_t count) {
  for (size_t b = 0; b < count; ++b, blocks += 34, values += 32) {
    float scale = f16_value(blocks);
    for (int i = 0; i < 32; ++i) values[i] = scale * (float)(int8_t)blocks[2 + i];
  }
}

void ckernels_gguf_q4_0(const uint8_t *blocks, float *values, size_t count) {
  for (size_t b = 0; b < count; ++b, blocks += 18, values += 32) {
    float scale = f16_value(blocks);
    for (int i = 0; i < 16; ++i) {
      values[i] = scale * (float)((blocks[2 + i] & 15) - 8);
      values[16 + i] = scale * (float)((blocks[2 + i] >> 4) - 8);
    }
  }
}

void ckernels_gguf_q4_1(const uint8_t *blocks, float *values, size_t count) {
  for (size_t b = 0; b < count; ++b, blocks += 20, values += 32) {
    float scale = f16_value(blocks), minimum = f16_value(blocks + 2);
    for (int i = 0; i < 16; ++i) {
      values[i] = scale * (float)(blocks[4 + i] & 15) + minimum;
      values[16 + i] = scale * (float)(blocks[4 + i] >> 4) + minimum;
    }
  }
}
