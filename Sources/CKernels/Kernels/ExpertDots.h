// Feed-forward experts for few rows each, as dot products.

#include "Activation.h"
#include "CKernels.h"
#include "Dot.h"

/// A part of the outputs of one block.
typedef struct {
  const ckernels_block *block;
  size_t first, count;
} expert_part;

INLINE expert_part part_of(const ckernels_experts *work, size_t piece, size_t outputs) {
  const size_t parts = (outputs + DOT_OUTPUTS - 1) / DOT_OUTPUTS, first = piece % parts * DOT_OUTPUTS;
  return (expert_part){work->blocks + piece / parts, first, least(DOT_OUTPUTS, outputs - first)};
}

/// Adds biases `first` and following, if there are any.
INLINE vector with_bias(const ckernels_experts *work, const void *const *biases, size_t expert, size_t first,
                        size_t count, vector sum) {
  return biases ? sum + numbers(work->narrow, biases[expert], first, count) : sum;
}

static void experts_dot_inner(const ckernels_experts *work, size_t first, size_t last) {
  const storage kind = storage_of(work->narrow);
  float gate[DOT_ROWS][DOT_OUTPUTS], up[DOT_ROWS][DOT_OUTPUTS];
  for (size_t piece = first; piece < last; ++piece) {
    const expert_part part = part_of(work, piece, work->inner);
    const size_t expert = part.block->expert, end = part.block->first + part.block->count;
    for (size_t a = part.block->first; a < end; a += DOT_ROWS) {
      const size_t rows = least(DOT_ROWS, end - a);
      const void *x[DOT_ROWS];
      // Vectors would load indices behind the last one, masked, which QEMU takes for an access.
#pragma clang loop vectorize(disable)
      for (size_t i = 0; i < rows; ++i)
        x[i] = (const char *)work->x + (size_t)work->rows[a + i] * work->hidden * (work->narrow ? 2 : 4);
      dots(kind, part.count, work->up[expert], part.first, rows, x, work->hidden, up);
      if (work->gate) dots(kind, part.count, work->gate[expert], part.first, rows, x, work->hidden, gate);
      for (size_t i = 0; i < rows; ++i)
        for (size_t r = 0; r < part.count; r += WIDTH) {
          const size_t count = part.count - r;
          const vector u = with_bias(work, work->up_bias, expert, part.first + r, count, load(up[i] + r));
          const vector value =
              work->gate ? activated(work->activation, load(gate[i] + r)) * u : activated(work->activation, u);
          store_numbers(work->narrow, work->values, (a + i) * work->inner + part.first + r, count, value);
        }
    }
  }
}

static void experts_dot_answers(const ckernels_experts *work, size_t first, size_t last) {
  const storage kind = storage_of(work->narrow);
  float sums[DOT_ROWS][DOT_OUTPUTS];
  for (size_t piece = first; piece < last; ++piece) {
    const expert_part part = part_of(work, piece, work->hidden);
    const size_t expert = part.block->expert, end = part.block->first + part.block->count;
    for (size_t a = part.block->first; a < end; a += DOT_ROWS) {
      const size_t rows = least(DOT_ROWS, end - a);
      const void *x[DOT_ROWS];
      for (size_t i = 0; i < rows; ++i) x[i] = (const char *)work->values + (a + i) * work->inner * (work->narrow ? 2 : 4);
      dots(kind, part.count, work->down[expert], part.first, rows, x, work->inner, sums);
      for (size_t i = 0; i < rows; ++i)
        for (size_t r = 0; r < part.count; r += WIDTH) {
          const size_t count = part.count - r;
          const vector y = with_bias(work, work->down_bias, expert, part.first + r, count, load(sums[i] + r));
          store_part(work->answers + (a + i) * work->hidden + part.first + r, count, y);
        }
    }
  }
}
