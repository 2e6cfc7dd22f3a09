// Feed-forward experts applied to the rows routed to them, one block of rows at a time.
//
// A block's rows are packed (see Tile.h), the inner values stay packed, and outputs are transposed
// back into rows at the end. So each weight is read once per block, in the order in which it is
// stored, and only the lanes of a block's last vector are padded.

#include "Activation.h"
#include "CKernels.h"
#include "ExpertBlocks.h"
#include "Tile.h"

#if defined(__x86_64__)

/// inner = activation(gate · x) ⊙ (up · x), packed; without a gate, activation(up · x).
FAST static void inner_values(const ckernels_experts *work, const ckernels_block *block, int vectors, const word *x,
                              word *inner) {
  const size_t expert = block->expert;
  const size_t depth = words(work, work->hidden), lanes = (size_t)vectors * WIDTH;
  float gate[ROWS * LANES], up[ROWS * LANES];
  for (size_t n = 0; n < work->inner; n += ROWS) {
    size_t rows = work->inner - n < ROWS ? work->inner - n : ROWS;
    bool adds = fill_biases(work, work->up_bias, expert, n, rows, vectors, up);
    product(work->narrow, vectors, rows, weight_row(work, work->up[expert], n, work->hidden), depth, 1, x,
            depth, up, adds);
    if (work->gate)
      product(work->narrow, vectors, rows, weight_row(work, work->gate[expert], n, work->hidden), depth, 1,
              x, depth, gate, false);
    for (size_t i = 0; i < rows * lanes && work->up_values; i += WIDTH) {
      const size_t at = block->lane * work->inner + n * lanes + i;
      _mm512_storeu_ps(work->up_values + at, _mm512_loadu_ps(up + i));
      if (work->gate) _mm512_storeu_ps(work->gate_values + at, _mm512_loadu_ps(gate + i));
    }
    for (size_t i = 0; i < rows * lanes; i += WIDTH) {
      __m512 u = _mm512_loadu_ps(up + i);
      __m512 value = work->gate
                         ? _mm512_mul_ps(activated(work->activation, _mm512_loadu_ps(gate + i)), u)
                         : activated(work->activation, u);
      _mm512_storeu_ps(up + i, value);
    }
    if (!work->narrow) {
      for (size_t i = 0; i < rows * lanes; i += WIDTH)
        _mm512_storeu_ps(inner + n * lanes + i, _mm512_loadu_ps(up + i));
      continue;
    }
    for (size_t r = 0; r < rows; r += 2)
      for (size_t i = 0; i < lanes; i += WIDTH)
        _mm512_storeu_ps(inner + (n + r) / 2 * lanes + i,
                         paired(_mm512_loadu_ps(up + r * lanes + i),
                                _mm512_loadu_ps(up + (r + 1) * lanes + i)));
  }
}

/// answers[assignment] = down · inner, transposed back into rows.
FAST static void answer_rows(const ckernels_experts *work, const ckernels_block *block, int vectors,
                             const word *inner) {
  const size_t depth = words(work, work->inner);
  float packed[WIDTH * LANES];
  for (size_t n = 0; n < work->hidden; n += WIDTH) {
    size_t rows = work->hidden - n < WIDTH ? work->hidden - n : WIDTH;
    bool adds = fill_biases(work, work->down_bias, block->expert, n, rows, vectors, packed);
    product(work->narrow, vectors, rows, weight_row(work, work->down[block->expert], n, work->inner), depth,
            1, inner, depth, packed, adds);
    store_turned(packed, rows, vectors, block->count, work->answers + block->first * work->hidden + n, work->hidden);
  }
}

size_t ckernels_experts_scratch(const ckernels_experts *work) {
  return (words(work, work->hidden) + words(work, work->inner)) * LANES * sizeof(word);
}

void ckernels_experts_blocks(const ckernels_experts *work, size_t first, size_t last, void *scratch) {
  word *x = scratch, *inner = x + words(work, work->hidden) * LANES;
  for (size_t b = first; b < last; ++b) {
    const ckernels_block *block = work->blocks + b;
    int vectors = (int)((block->count + WIDTH - 1) / WIDTH);
    pack_block(work, work->x, block, vectors, x);
    inner_values(work, block, vectors, x, inner);
    answer_rows(work, block, vectors, inner);
  }
}

FAST void ckernels_combine(const ckernels_combination *work, size_t first, size_t last) {
  for (size_t token = first; token < last; ++token)
    for (size_t n = 0; n < work->width; n += WIDTH) {
      __mmask16 lanes = low_lanes(work->width - n);
      __m512 sum = _mm512_setzero_ps();
      for (int32_t i = work->starts[token]; i < work->starts[token + 1]; ++i) {
        size_t place = (size_t)work->places[i];
        sum = _mm512_fmadd_ps(_mm512_set1_ps(work->weights[i]),
                              _mm512_maskz_loadu_ps(lanes, work->answers + place * work->width + n), sum);
      }
      size_t at = token * work->width + n;
      if (work->narrow)
        _mm256_mask_storeu_epi16((uint16_t *)work->result + at, lanes, narrowed(sum));
      else
        _mm512_mask_storeu_ps((float *)work->result + at, lanes, sum);
    }
}

bool ckernels_has_tiles(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512bf16");
}

#else

// Callers ask `ckernels_has_tiles` first, so these are never reached.
size_t ckernels_experts_scratch(const ckernels_experts *work) { return 0; }
void ckernels_experts_blocks(const ckernels_experts *work, size_t first, size_t last, void *scratch) {}
void ckernels_combine(const ckernels_combination *work, size_t first, size_t last) {}
bool ckernels_has_tiles(void) { return false; }

#endif
