// Products of a weight matrix and rows.
//
// General matrix products first copy the weight into another layout, which for a few dozen rows
// costs as much as the product itself. Here the rows are packed instead, and the weight is read in
// place.
#ifndef CKERNELS_LINEAR_H
#define CKERNELS_LINEAR_H

#include "CKernels.h"
#include "Tile.h"

/// Rows per block: the blocks are nearly equal and fill whole vectors.
static size_t linear_block_size(const ckernels_linear *work) {
  const size_t parts = (work->rows + LANES - 1) / LANES;
  return ((work->rows + parts - 1) / parts + WIDTH - 1) / WIDTH * WIDTH;
}

static size_t linear_packed_count(const ckernels_linear *work) {
  return (work->rows + WIDTH - 1) / WIDTH * WIDTH * units(storage_of(work->narrow), work->inputs);
}

static void linear_pack(const ckernels_linear *work, size_t first, size_t last) {
  const storage kind = storage_of(work->narrow);
  const size_t size = linear_block_size(work), depth = units(kind, work->inputs);
  for (size_t part = first; part < last; ++part) {
    const size_t row = part * WIDTH, start = row / size * size;
    const size_t vectors = (least(size, work->rows - start) + WIDTH - 1) / WIDTH;
    const void *rows[WIDTH];
    for (size_t i = 0; i < WIDTH; ++i)
      rows[i] = row + i < work->rows ? unit_at(kind, work->x, (row + i) * depth) : NULL;
    pack_rows(kind, rows, work->inputs, work->packed + start * depth + (row - start), vectors * WIDTH);
  }
}

/// WIDTH outputs, or as many as there are before `end`, of the block of rows that begins at `start`.
static void linear_tile(const ckernels_linear *work, size_t start, size_t n, size_t end) {
  const storage kind = storage_of(work->narrow);
  const size_t outputs = least(WIDTH, end - n), count = least(linear_block_size(work), work->rows - start);
  const size_t depth = units(kind, work->inputs);
  const int vectors = (int)((count + WIDTH - 1) / WIDTH);
  float sums[WIDTH * LANES];
  for (size_t r = 0; r < outputs && work->bias; ++r)
    for (int v = 0; v < vectors; ++v)
      store(sums + (r * vectors + v) * WIDTH, all(number(work->narrow, work->bias, n + r)));
  product(kind, vectors, outputs, unit_at(kind, work->weight, n * depth), depth, 1, work->packed + start * depth, depth,
          sums, work->bias != NULL);
  store_turned(sums, outputs, vectors, count, work->narrow, work->result, start * work->outputs + n, work->outputs);
}

/// Outputs whose weights stay in the second cache while all blocks of rows are multiplied with them.
static size_t linear_group(const ckernels_linear *work) {
  const size_t bytes = 256 << 10, row = work->inputs * (work->narrow ? 2 : 4) * WIDTH;
  return (row < bytes ? bytes / row : 1) * WIDTH;
}

static void linear_outputs(const ckernels_linear *work, size_t first, size_t last) {
  const size_t size = linear_block_size(work), end = least(last * WIDTH, work->outputs), group = linear_group(work);
  for (size_t from = first * WIDTH; from < end; from += group)
    for (size_t start = 0; start < work->rows; start += size)
      for (size_t n = from; n < least(from + group, end); n += WIDTH) linear_tile(work, start, n, end);
}

#endif
