// Converts blocks of 32 or 256 elements, as GGUF files store them, to f32. Products and sums round once
// each, as in the format's reference implementation.

#include <string.h>

#include "CKernels.h"
#include "GGUFScales.h"

#pragma STDC FP_CONTRACT OFF

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

/// The fifth bit of element `i`, in its place.
static int fifth_bit(const uint8_t *bits, int i) { return (bits[i / 8] >> (i % 8) & 1) << 4; }

void ckernels_gguf_q5_0(const uint8_t *blocks, float *values, size_t count) {
  for (size_t b = 0; b < count; ++b, blocks += 22, values += 32) {
    float scale = f16_value(blocks);
    const uint8_t *high = blocks + 2, *low = blocks + 6;
    for (int i = 0; i < 16; ++i) {
      values[i] = scale * (float)(((low[i] & 15) | fifth_bit(high, i)) - 16);
      values[16 + i] = scale * (float)(((low[i] >> 4) | fifth_bit(high, 16 + i)) - 16);
    }
  }
}

void ckernels_gguf_q5_1(const uint8_t *blocks, float *values, size_t count) {
  for (size_t b = 0; b < count; ++b, blocks += 24, values += 32) {
    float scale = f16_value(blocks), minimum = f16_value(blocks + 2);
    const uint8_t *high = blocks + 4, *low = blocks + 8;
    for (int i = 0; i < 16; ++i) {
      values[i] = scale * (float)((low[i] & 15) | fifth_bit(high, i)) + minimum;
      values[16 + i] = scale * (float)((low[i] >> 4) | fifth_bit(high, 16 + i)) + minimum;
    }
  }
}

/// Blocks of 4-bit codes that index a table; low nibbles are the first 16 elements.
static void from_table(const uint8_t *codes, float scale, const int8_t *table, float *values) {
  for (int i = 0; i < 16; ++i) {
    values[i] = scale * (float)table[codes[i] & 15];
    values[16 + i] = scale * (float)table[codes[i] >> 4];
  }
}

void ckernels_gguf_iq4_nl(const uint8_t *blocks, float *values, size_t count) {
  static const int8_t table[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                   1,    13,   25,  38,  53,  69,  89,  113};
  for (size_t b = 0; b < count; ++b, blocks += 18, values += 32) {
    from_table(blocks + 2, f16_value(blocks), table, values);
  }
}

void ckernels_gguf_mxfp4(const uint8_t *blocks, float *values, size_t count) {
  // Twice the values of the type, and so half the scale.
  static const int8_t table[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
  for (size_t b = 0; b < count; ++b, blocks += 17, values += 32) {
    uint32_t exponent = blocks[0];
    uint32_t bits = exponent < 2 ? 0x00200000u << exponent : (exponent - 1) << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    from_table(blocks + 1, scale, table, values);
  }
}

void ckernels_gguf_q2_k(const uint8_t *blocks, float *values, size_t count) {
  for (size_t b = 0; b < count; ++b, blocks += 84, values += 256) {
    const uint8_t *codes = blocks + 16;
    float scale = f16_value(blocks + 80), minimum = f16_value(blocks + 82);
    for (int g = 0; g < 16; ++g) {  // groups of 16; 8 of them share 32 bytes
      float group_scale = scale * (float)(blocks[g] & 15);
      float group_minimum = minimum * (float)(blocks[g] >> 4);
      const uint8_t *bytes = codes + g / 8 * 32 + g % 2 * 16;
      int shift = g % 8 / 2 * 2;
      for (int i = 0; i < 16; ++i) {
        values[16 * g + i] = group_scale * (float)(bytes[i] >> shift & 3) - group_minimum;
      }
    }
  }
}

void ckernels_gguf_q3_k(const uint8_t *blocks, float *values, size_t count) {
  for (size_t b = 0; b < count; ++b, blocks += 110, values += 256) {
    const uint8_t *high = blocks, *codes = blocks + 32, *scales = blocks + 96;
    float scale = f16_value(blocks + 108);
    for (int g = 0; g < 16; ++g) {
      int low_scale = scales[g % 8] >> (g / 8 * 4) & 15, high_scale = scales[8 + g % 4] >> (g / 4 * 2) & 3;
      float group_scale = scale * (float)((low_scale | high_scale << 4) - 32);
      const uint8_t *bytes = codes + g / 8 * 32 + g % 2 * 16, *signs = high + g % 2 * 16;
      int shift = g % 8 / 2 * 2, plane = g / 2;
      for (int i = 0; i < 16; ++i) {
        int code = (bytes[i] >> shift & 3) - ((signs[i] >> plane & 1) ? 0 : 4);
        values[16 * g + i] = group_scale * (float)code;
      }
    }
  }
}

/// A block of Q4_K, or of Q5_K if there are fifth bits.
static void eight_groups(const uint8_t *block, const uint8_t *fifth, const uint8_t *codes, float *values) {
  float scale = f16_value(block), minimum = f16_value(block + 2);
  for (int g = 0; g < 8; ++g) {  // two groups of 32 share 32 bytes
    int scale_code, minimum_code;
    scale_and_minimum(block + 4, g, &scale_code, &minimum_code);
    float group_scale = scale * (float)scale_code, group_minimum = minimum * (float)minimum_code;
    const uint8_t *bytes = codes + g / 2 * 32;
    for (int i = 0; i < 32; ++i) {
      int code = bytes[i] >> (g % 2 * 4) & 15;
      if (fifth) code |= (fifth[i] >> g & 1) << 4;
      values[32 * g + i] = group_scale * (float)code - group_minimum;
    }
  }
}

void ckernels_gguf_q4_k(const uint8_t *blocks, float *values, size_t count) {
  for (size_t b = 0; b < count; ++b, blocks += 144, values += 256) {
    eight_groups(blocks, NULL, blocks + 16, values);
  }
}

void ckernels_gguf_q5_k(const uint8_t *blocks, float *values, size_t count) {
  for (size_t b = 0; b < count; ++b, blocks += 176, values += 256) {
    eight_groups(blocks, blocks + 16, blocks + 48, values);
  }
}

void ckernels_gguf_q6_k(const uint8_t *blocks, float *values, size_t count) {
  for (size_t b = 0; b < count; ++b, blocks += 210, values += 256) {
    const uint8_t *low = blocks, *high = blocks + 128, *scales = blocks + 192;
    float scale = f16_value(blocks + 208);
    for (int g = 0; g < 16; ++g) {
      float group_scale = scale * (float)(int8_t)scales[g];
      // Of 128 elements, the first 64 are in the low nibbles of 64 bytes.
      const uint8_t *nibbles = low + g / 8 * 64 + g % 4 * 16, *pairs = high + g / 8 * 32 + g % 2 * 16;
      int nibble_shift = g % 8 / 4 * 4, pair_shift = g % 8 / 2 * 2;
      for (int i = 0; i < 16; ++i) {
        int code = (nibbles[i] >> nibble_shift & 15) | (pairs[i] >> pair_shift & 3) << 4;
        values[16 * g + i] = group_scale * (float)(code - 32);
      }
    }
  }
}
