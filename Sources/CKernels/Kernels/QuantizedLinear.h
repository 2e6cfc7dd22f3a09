// Products of a packed weight and many rows: a few rows of the weight are unpacked at a time, and multiplied with all
// rows, as dense ones are (see Linear.h).

#include "Linear.h"
#include "QuantizedRows.h"

static size_t quantized_linear_count(const ckernels_quantized_linear *work) {
  return (work->rows + WIDTH - 1) / WIDTH * WIDTH * quantized_units(work->weight.inputs);
}

/// Rows per block.
INLINE size_t quantized_block_size(const ckernels_quantized_linear *work) {
  const ckernels_linear linear = {.rows = work->rows};
  return linear_block_size(&linear);
}

static void quantized_linear_pack(const ckernels_quantized_linear *work, size_t first, size_t last) {
  const size_t inputs = work->weight.inputs, depth = quantized_units(inputs), size = quantized_block_size(work);
  for (size_t part = first; part < last; ++part) {
    const size_t row = part * WIDTH, start = row / size * size;
    const size_t vectors = (least(size, work->rows - start) + WIDTH - 1) / WIDTH;
    const float *rows[WIDTH];
    for (size_t i = 0; i < WIDTH; ++i) rows[i] = row + i < work->rows ? work->x + (row + i) * inputs : NULL;
    pack_floats(rows, inputs, work->packed + start * depth + (row - start), vectors * WIDTH);
  }
}

/// Outputs that are unpacked at once: they stay in the second cache while all blocks are multiplied with them.
INLINE size_t quantized_group(const ckernels_quantized_linear *work) {
  const size_t bytes = 256 << 10, row = quantized_units(work->weight.inputs) * sizeof(float) * WIDTH;
  return (row < bytes ? bytes / row : 1) * WIDTH;
}

static size_t quantized_linear_scratch(const ckernels_quantized_linear *work) {
  return quantized_group(work) * quantized_units(work->weight.inputs) * sizeof(float);
}

static void quantized_linear_tile(const ckernels_quantized_linear *work, const float *weight, size_t start, size_t n,
                                  size_t outputs) {
  const size_t count = least(quantized_block_size(work), work->rows - start);
  const size_t depth = quantized_units(work->weight.inputs);
  const int vectors = (int)((count + WIDTH - 1) / WIDTH);
  float sums[WIDTH * LANES];
  for (size_t r = 0; r < outputs && work->bias; ++r)
    for (int v = 0; v < vectors; ++v) store(sums + (r * vectors + v) * WIDTH, all(work->bias[n + r]));
  product(quantized_storage(), vectors, outputs, weight, depth, 1, work->packed + start * depth, depth, sums,
          work->bias != NULL);
  store_turned(sums, outputs, vectors, count, false, work->result, start * work->outputs + n, work->outputs);
}

static void quantized_linear_outputs(const ckernels_quantized_linear *work, size_t first, size_t last, void *scratch) {
  const size_t size = quantized_block_size(work), end = least(last * WIDTH, work->outputs);
  const size_t group = quantized_group(work), depth = quantized_units(work->weight.inputs);
  for (size_t from = first * WIDTH; from < end; from += group) {
    const size_t to = least(from + group, end);
    unpack_weights(&work->weight, from, to - from, scratch);
    for (size_t start = 0; start < work->rows; start += size)
      for (size_t n = from; n < to; n += WIDTH)
        quantized_linear_tile(work, (const float *)scratch + (n - from) * depth, start, n, least(WIDTH, to - n));
  }
}
