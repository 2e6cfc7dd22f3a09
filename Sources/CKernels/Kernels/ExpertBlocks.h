// Helpers shared by the forward and the backward pass of experts.
#ifndef CKERNELS_EXPERT_BLOCKS_H
#define CKERNELS_EXPERT_BLOCKS_H

#include "CKernels.h"
#include "Tile.h"

/// Row `row` of a weight with `columns` columns.
INLINE const void *weight_row(storage kind, const void *weight, size_t row, size_t columns) {
  return unit_at(kind, weight, row * units(kind, columns));
}

/// Packs the rows of [tokens, hidden] that a block works on.
static void pack_block(const ckernels_experts *work, storage kind, const void *from, const ckernels_block *block,
                       int vectors, float *packed) {
  for (int v = 0; v < vectors; ++v) {
    const void *rows[WIDTH];
    for (size_t i = 0; i < WIDTH; ++i) {
      size_t lane = (size_t)v * WIDTH + i;
      rows[i] = lane < block->count
                    ? weight_row(kind, from, (size_t)work->rows[block->first + lane], work->hidden)
                    : NULL;
    }
    pack_rows(kind, rows, work->hidden, packed + v * WIDTH, (size_t)vectors * WIDTH);
  }
}

/// Fills packed rows with the biases from `at` on, for a product that accumulates; false if there
/// are none.
static bool fill_biases(const ckernels_experts *work, const void *const *biases, size_t expert, size_t at, size_t rows,
                        int vectors, float *packed) {
  if (!biases) return false;
  for (size_t r = 0; r < rows; ++r)
    for (int v = 0; v < vectors; ++v)
      store(packed + (r * vectors + v) * WIDTH, all(number(work->narrow, biases[expert], at + r)));
  return true;
}

#endif
