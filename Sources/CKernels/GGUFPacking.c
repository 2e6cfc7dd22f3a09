// Moves the codes of blocks of GGUF files into rows that are streams of codes, without changing a value.

#include <string.h>

#include "CKernels.h"
#include "GGUFScales.h"

#pragma STDC FP_CONTRACT OFF

/// Appends 32 codes of some bits.
static uint8_t *append(uint8_t *to, const uint8_t codes[32], int bits) {
  for (int i = 0; i < 32; i += 8) {
    uint64_t word = 0;
    for (int k = 0; k < 8; ++k) word |= (uint64_t)codes[i + k] << k * bits;
    memcpy(to, &word, (size_t)bits);
    to += bits;
  }
  return to;
}

/// Low nibbles are the first 16 codes, high ones the others; `high` has a fifth bit for each code, or is NULL.
static void nibbles(const uint8_t *from, const uint8_t *high, uint8_t codes[32]) {
  for (int i = 0; i < 16; ++i) {
    codes[i] = from[i] & 15;
    codes[16 + i] = from[i] >> 4;
  }
  for (int i = 0; i < 32 && high; ++i) codes[i] |= (uint8_t)((high[i / 8] >> i % 8 & 1) << 4);
}

/// Bytes of a block, and how many of them precede the codes.
static size_t block_bytes(ckernels_gguf type) {
  static const size_t bytes[] = {18, 20, 22, 24, 34, 144, 176, 18, 17};
  return bytes[type];
}

static uint8_t *pack_small(ckernels_gguf type, const uint8_t *block, uint8_t *to) {
  uint8_t codes[32];
  switch (type) {
    case CKERNELS_GGUF_Q8_0:
      for (int i = 0; i < 32; ++i) codes[i] = (uint8_t)(block[2 + i] + 128);
      return append(to, codes, 8);
    case CKERNELS_GGUF_Q4_1: nibbles(block + 4, NULL, codes); return append(to, codes, 4);
    case CKERNELS_GGUF_Q5_0: nibbles(block + 6, block + 2, codes); return append(to, codes, 5);
    case CKERNELS_GGUF_Q5_1: nibbles(block + 8, block + 4, codes); return append(to, codes, 5);
    case CKERNELS_GGUF_MXFP4: nibbles(block + 1, NULL, codes); return append(to, codes, 4);
    default: nibbles(block + 2, NULL, codes); return append(to, codes, 4);
  }
}

/// 256 codes in eight sub-blocks: a run of 32 bytes holds two of them, in its low and in its high nibbles.
static uint8_t *pack_large(bool five, const uint8_t *block, uint8_t *to, float *scales, float *biases) {
  const float d = f16_value(block), least = f16_value(block + 2);
  const uint8_t *high = block + 16, *low = block + (five ? 48 : 16);
  for (int i = 0; i < 8; ++i) {
    uint8_t codes[32];
    int scale, minimum;
    scale_and_minimum(block + 4, i, &scale, &minimum);
    scales[i] = d * (float)scale;
    biases[i] = -(least * (float)minimum);
    for (int k = 0; k < 32; ++k) {
      codes[k] = low[i / 2 * 32 + k] >> (i % 2 ? 4 : 0) & 15;
      if (five) codes[k] |= (uint8_t)((high[k] >> i & 1) << 4);
    }
    to = append(to, codes, five ? 5 : 4);
  }
  return to;
}

void ckernels_gguf_pack(ckernels_gguf type, const uint8_t *blocks, size_t count, uint8_t *codes, void *scales,
                        void *biases) {
  const size_t size = block_bytes(type);
  const bool large = type == CKERNELS_GGUF_Q4_K || type == CKERNELS_GGUF_Q5_K;
  for (size_t b = 0; b < count; ++b, blocks += size) {
    if (large) {
      codes = pack_large(type == CKERNELS_GGUF_Q5_K, blocks, codes, (float *)scales + 8 * b, (float *)biases + 8 * b);
      continue;
    }
    codes = pack_small(type, blocks, codes);
    if (type == CKERNELS_GGUF_MXFP4)
      ((uint8_t *)scales)[b] = blocks[0];
    else
      memcpy((uint16_t *)scales + b, blocks, 2);
    if (biases) memcpy((uint16_t *)biases + b, blocks + 2, 2);
  }
}
