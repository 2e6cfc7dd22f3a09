// Products of a weight matrix and a few rows.
//
// General matrix products first copy the weight into another layout, which for a few dozen rows
// costs as much as the product itself. Here the rows are packed instead, and the weight is read in
// place.

#include "CKernels.h"
#include "Tile.h"

#if defined(__x86_64__)

/// Rows per block: the blocks are nearly equal and fill whole vectors.
static size_t block_size(const ckernels_linear *work) {
  const size_t parts = (work->rows + LANES - 1) / LANES;
  return ((work->rows + parts - 1) / parts + WIDTH - 1) / WIDTH * WIDTH;
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

size_t ckernels_linear_packed_count(const ckernels_linear *work) {
  return (work->rows + WIDTH - 1) / WIDTH * WIDTH * work->inputs;
}

FAST void ckernels_linear_pack(const ckernels_linear *work) {
  const size_t size = block_size(work);
  for (size_t start = 0; start < work->rows; start += size) {
    const size_t count = least(size, work->rows - start), vectors = (count + WIDTH - 1) / WIDTH;
    for (size_t v = 0; v < vectors; ++v) {
      const word *rows[WIDTH];
      for (size_t i = 0; i < WIDTH; ++i)
        rows[i] = v * WIDTH + i < count ? work->x + (start + v * WIDTH + i) * work->inputs : NULL;
      pack_rows(rows, work->inputs, work->packed + start * work->inputs + v * WIDTH, vectors * WIDTH);
    }
  }
}

FAST void ckernels_linear_outputs(const ckernels_linear *work, size_t first, size_t last) {
  const size_t size = block_size(work), end = least(last * WIDTH, work->outputs);
  float sums[WIDTH * LANES];
  for (size_t n = first * WIDTH; n < end; n += WIDTH) {
    const size_t outputs = least(WIDTH, end - n);
    for (size_t start = 0; start < work->rows; start += size) {
      const size_t count = least(size, work->rows - start);
      const int vectors = (int)((count + WIDTH - 1) / WIDTH);
      for (size_t r = 0; r < outputs && work->bias; ++r)
        for (int v = 0; v < vectors; ++v)
          _mm512_storeu_ps(sums + (r * vectors + v) * WIDTH, _mm512_set1_ps(work->bias[n + r]));
      product(false, vectors, outputs, work->weight + n * work->inputs, work->inputs, 1,
              work->packed + start * work->inputs, work->inputs, sums, work->bias != NULL);
      store_turned(sums, outputs, vectors, count, work->result + start * work->outputs + n, work->outputs);
    }
  }
}

#else

size_t ckernels_linear_packed_count(const ckernels_linear *work) { return 0; }
void ckernels_linear_pack(const ckernels_linear *work) {}
void ckernels_linear_outputs(const ckernels_linear *work, size_t first, size_t last) {}

#endif
