// Helpers shared by the forward and the backward pass of experts.
#ifndef CKERNELS_EXPERT_BLOCKS_H
#define CKERNELS_EXPERT_BLOCKS_H

#include "CKernels.h"
#include "Tile.h"

#if defined(__x86_64__)

/// The number of 32-bit words in a row of `count` elements.
static inline size_t words(const ckernels_experts *work, size_t count) { return work->narrow ? count / 2 : count; }

/// The first word of row `row` in a weight with `columns` columns.
static inline const word *weight_row(const ckernels_experts *work, const void *weight, size_t row, size_t columns) {
  return (const word *)weight + row * words(work, columns);
}

/// Packs the rows of [tokens, hidden] that a block works on.
FAST static inline void pack_block(const ckernels_experts *work, const void *from, const ckernels_block *block,
                                   int vectors, word *packed) {
  const size_t depth = words(work, work->hidden);
  for (int v = 0; v < vectors; ++v) {
    const word *rows[WIDTH];
    for (size_t i = 0; i < WIDTH; ++i) {
      size_t lane = (size_t)v * WIDTH + i;
      rows[i] = lane < block->count
                    ? (const word *)from + (size_t)work->rows[block->first + lane] * depth
                    : NULL;
    }
    pack_rows(rows, depth, packed + v * WIDTH, (size_t)vectors * WIDTH);
  }
}

/// Fills packed rows with the biases from `at` on, for a product that accumulates; false if there
/// are none.
FAST static inline bool fill_biases(const ckernels_experts *work, const void *const *biases, size_t expert, size_t at,
                                    size_t rows, int vectors, float *packed) {
  if (!biases) return false;
  for (size_t r = 0; r < rows; ++r) {
    float bias;
    if (work->narrow) {
      uint32_t bits = (uint32_t)((const uint16_t *)biases[expert])[at + r] << 16;
      __builtin_memcpy(&bias, &bits, sizeof bias);
    } else {
      bias = ((const float *)biases[expert])[at + r];
    }
    for (int v = 0; v < vectors; ++v)
      _mm512_storeu_ps(packed + (r * vectors + v) * WIDTH, _mm512_set1_ps(bias));
  }
  return true;
}

#endif
#endif
