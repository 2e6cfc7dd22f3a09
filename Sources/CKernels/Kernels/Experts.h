// Feed-forward experts applied to the rows routed to them, one block of rows at a time.
//
// A block's rows are packed (see Tile.h), the inner values stay packed, and outputs are transposed
// back into rows at the end. So each weight is read once per block, in the order in which it is
// stored, and only the lanes of a block's last vector are padded.

#include "Activation.h"
#include "CKernels.h"
#include "ExpertBlocks.h"
#include "Tile.h"

/// Stores products before the activation for the backward pass.
static void keep_values(const ckernels_experts *work, const ckernels_block *block, size_t first, size_t count,
                        size_t lanes, const float *gate, const float *up) {
  const size_t at = block->lane * work->inner + first * lanes, bytes = count * lanes * sizeof(float);
  __builtin_memcpy(work->up_values + at, up, bytes);
  if (work->gate) __builtin_memcpy(work->gate_values + at, gate, bytes);
}

/// Stores inner values as the next product reads them.
static void store_inner(storage kind, const float *values, size_t first, size_t count, size_t lanes, float *inner) {
  if (kind != PAIRS) {
    __builtin_memcpy(inner + first * lanes, values, count * lanes * sizeof(float));
    return;
  }
  for (size_t r = 0; r < count; r += 2)
    for (size_t i = 0; i < lanes; i += WIDTH)
      store(inner + (first + r) / 2 * lanes + i, paired(load(values + r * lanes + i), load(values + (r + 1) * lanes + i)));
}

/// inner = activation(gate · x) ⊙ (up · x), packed; without a gate, activation(up · x).
static void inner_values(const ckernels_experts *work, const ckernels_block *block, int vectors, const float *x,
                         float *inner) {
  const size_t expert = block->expert, lanes = (size_t)vectors * WIDTH;
  const storage kind = storage_of(work->narrow);
  const size_t depth = units(kind, work->hidden);
  float gate[ROWS * LANES], up[ROWS * LANES];
  for (size_t n = 0; n < work->inner; n += ROWS) {
    size_t rows = work->inner - n < ROWS ? work->inner - n : ROWS;
    bool adds = fill_biases(work, work->up_bias, expert, n, rows, vectors, up);
    product(kind, vectors, rows, weight_row(kind, work->up[expert], n, work->hidden), depth, 1, x, depth, up, adds);
    if (work->gate)
      product(kind, vectors, rows, weight_row(kind, work->gate[expert], n, work->hidden), depth, 1, x, depth, gate,
              false);
    if (work->up_values) keep_values(work, block, n, rows, lanes, gate, up);
    for (size_t i = 0; i < rows * lanes; i += WIDTH) {
      vector u = load(up + i);
      store(up + i, work->gate ? activated(work->activation, load(gate + i)) * u : activated(work->activation, u));
    }
    store_inner(kind, up, n, rows, lanes, inner);
  }
}

/// answers[assignment] = down · inner, transposed back into rows.
static void answer_rows(const ckernels_experts *work, const ckernels_block *block, int vectors, const float *inner) {
  const storage kind = storage_of(work->narrow);
  const size_t depth = units(kind, work->inner);
  float packed[WIDTH * LANES];
  for (size_t n = 0; n < work->hidden; n += WIDTH) {
    size_t rows = work->hidden - n < WIDTH ? work->hidden - n : WIDTH;
    bool adds = fill_biases(work, work->down_bias, block->expert, n, rows, vectors, packed);
    product(kind, vectors, rows, weight_row(kind, work->down[block->expert], n, work->inner), depth, 1, inner, depth,
            packed, adds);
    store_turned(packed, rows, vectors, block->count, false, work->answers, block->first * work->hidden + n,
                 work->hidden);
  }
}

static size_t experts_scratch(const ckernels_experts *work) {
  const storage kind = storage_of(work->narrow);
  return (units(kind, work->hidden) + units(kind, work->inner)) * LANES * sizeof(float);
}

static void experts_blocks(const ckernels_experts *work, size_t first, size_t last, void *scratch) {
  float *x = scratch, *inner = x + units(storage_of(work->narrow), work->hidden) * LANES;
  for (size_t b = first; b < last; ++b) {
    const ckernels_block *block = work->blocks + b;
    int vectors = (int)((block->count + WIDTH - 1) / WIDTH);
    pack_block(work, storage_of(work->narrow), work->x, block, vectors, x);
    inner_values(work, block, vectors, x, inner);
    answer_rows(work, block, vectors, inner);
  }
}

static void combine(const ckernels_combination *work, size_t first, size_t last) {
  for (size_t token = first; token < last; ++token)
    for (size_t n = 0; n < work->width; n += WIDTH) {
      const size_t count = work->width - n;
      vector sum = all(0);
      for (int32_t i = work->starts[token]; i < work->starts[token + 1]; ++i) {
        size_t place = (size_t)work->places[i];
        sum = fused(all(work->weights[i]), load_part(work->answers + place * work->width + n, count), sum);
      }
      store_numbers(work->narrow, work->result, token * work->width + n, count, sum);
    }
}
