// Feed-forward experts whose every projection is packed in a way of its own.

#include "Activation.h"
#include "QuantizedDots.h"
#include "QuantizedRows.h"

// Few rows ----------------------------------------------------------------------------------------

/// What becomes of the products of one matrix: the values of up are kept, those of gate are activated and multiplied with them.
typedef enum { KEPT, ACTIVATED, MULTIPLIED } raised_use;

/// Products of outputs `first` to `last - 1` of a weight with up to DOT_ROWS assignments from `a` on.
INLINE void raise_outputs(const ckernels_quantized_experts *work, const ckernels_quantized *w, raised_use use,
                          size_t first, size_t last, size_t a, size_t rows) {
  const size_t form = quantized_form(w), bytes = quantized_form_bytes(work->hidden, form);
  const uint8_t *forms[DOT_ROWS];
  for (size_t i = 0; i < rows; ++i) forms[i] = (const uint8_t *)work->forms[form] + (size_t)work->rows[a + i] * bytes;
  float sums[DOT_ROWS][DOT_OUTPUTS];
  for (size_t n = first; n < last; n += DOT_OUTPUTS) {
    const size_t outputs = least(DOT_OUTPUTS, last - n);
    quantized_products(w, outputs, n, rows, forms, sums);
    for (size_t i = 0; i < rows; ++i)
      for (size_t r = 0; r < outputs; r += WIDTH) {
        float *to = work->inner_values + (a + i) * work->inner + n + r;
        vector value = load(sums[i] + r);
        if (use != KEPT) value = activated(work->activation, value);
        if (use == MULTIPLIED) value = value * load_part(to, outputs - r);
        store_part(to, outputs - r, value);
      }
  }
}

/// inner[assignment] = activation(gate · x) ⊙ (up · x), without a gate activation(up · x). One matrix after the other, each
/// in one stretch of memory.
static void raise_rows(const ckernels_quantized_experts *work, size_t expert, size_t first, size_t last, size_t a,
                       size_t rows) {
  raise_outputs(work, work->up + expert, work->gate ? KEPT : ACTIVATED, first, last, a, rows);
  if (work->gate) raise_outputs(work, work->gate + expert, MULTIPLIED, first, last, a, rows);
}

enum {
  /// Outputs that are computed for all rows before the next ones, if there are more than a tile's: they stay in the cache.
  EXPERT_OUTPUTS = 4 * DOT_OUTPUTS,
};

static void quantized_experts_inner(const ckernels_quantized_experts *work, size_t first, size_t last) {
  for (const ckernels_piece *piece = work->pieces + first, *end = work->pieces + last; piece < end;) {
    const ckernels_block *block = work->blocks + piece->block;
    const size_t start = piece->first, rows_end = block->first + block->count;
    size_t outputs = start + piece->count;
    // Pieces that follow each other are one stretch.
    for (++piece; piece < end && work->blocks + piece->block == block && piece->first == outputs; ++piece)
      outputs += piece->count;
    const size_t step = block->count > DOT_ROWS ? EXPERT_OUTPUTS : outputs - start;
    for (size_t n = start; n < outputs; n += step)
      for (size_t a = block->first; a < rows_end; a += DOT_ROWS)
        raise_rows(work, block->expert, n, least(n + step, outputs), a, least(DOT_ROWS, rows_end - a));
  }
}

/// Rounds the inner values of blocks `first` to `last - 1`, each in the form that its expert's last projection reads.
static void quantized_experts_prepare(const ckernels_quantized_experts *work, size_t first, size_t last) {
  for (const ckernels_block *block = work->blocks + first; block < work->blocks + last; ++block) {
    const size_t form = quantized_form(work->down + block->expert);
    for (size_t a = block->first; a < block->first + block->count; ++a)
      form_row_of(form, work->inner_values + a * work->inner, work->inner,
                  (uint8_t *)work->inner_forms + a * work->inner_form_bytes);
  }
}

static void quantized_experts_answers(const ckernels_quantized_experts *work, size_t first, size_t last) {
  float sums[DOT_ROWS][DOT_OUTPUTS];
  for (const ckernels_piece *piece = work->pieces + first; piece < work->pieces + last; ++piece) {
    const ckernels_block *block = work->blocks + piece->block;
    for (size_t n = piece->first; n < piece->first + piece->count; n += DOT_OUTPUTS) {
      const size_t outputs = least(DOT_OUTPUTS, piece->first + piece->count - n), end = block->first + block->count;
      for (size_t a = block->first; a < end; a += DOT_ROWS) {
        const size_t rows = least(DOT_ROWS, end - a);
        const uint8_t *forms[DOT_ROWS];
        for (size_t i = 0; i < rows; ++i)
          forms[i] = (const uint8_t *)work->inner_forms + (a + i) * work->inner_form_bytes;
        quantized_products(work->down + block->expert, outputs, n, rows, forms, sums);
        for (size_t i = 0; i < rows; ++i)
          for (size_t r = 0; r < outputs; r += WIDTH)
            store_part(work->answers + (a + i) * work->hidden + n + r, outputs - r, load(sums[i] + r));
      }
    }
  }
}

// Many rows ---------------------------------------------------------------------------------------

/// Consecutive blocks of one expert.
typedef struct {
  const ckernels_quantized_experts *work;
  const ckernels_block *first;
  size_t count;
} expert_run;

/// Scratch memory of one call: packed rows and inner values of each block, and unpacked rows of two weights.
typedef struct {
  float *x, *inner, *up, *gate;
} expert_scratch;

static size_t quantized_experts_scratch(const ckernels_quantized_experts *work) {
  const size_t hidden = quantized_units(work->hidden), inner = quantized_units(work->inner);
  return ((hidden + inner) * LANES * CKERNELS_EXPERT_BLOCKS + 2 * WIDTH * (hidden > inner ? hidden : inner)) * sizeof(float);
}

INLINE expert_scratch scratch_of(const ckernels_quantized_experts *work, float *scratch) {
  const size_t hidden = quantized_units(work->hidden), inner = quantized_units(work->inner);
  float *after = scratch + hidden * LANES * CKERNELS_EXPERT_BLOCKS, *up = after + inner * LANES * CKERNELS_EXPERT_BLOCKS;
  return (expert_scratch){scratch, after, up, up + WIDTH * (hidden > inner ? hidden : inner)};
}

INLINE int vectors_of(const ckernels_block *block) { return (int)((block->count + WIDTH - 1) / WIDTH); }

static void pack_floats_of_block(const ckernels_quantized_experts *work, const ckernels_block *block, float *packed) {
  const int vectors = vectors_of(block);
  for (int v = 0; v < vectors; ++v) {
    const float *rows[WIDTH];
    for (size_t i = 0; i < WIDTH; ++i) {
      const size_t lane = (size_t)v * WIDTH + i;
      rows[i] = lane < block->count ? work->x + (size_t)work->rows[block->first + lane] * work->hidden : NULL;
    }
    pack_floats(rows, work->hidden, packed + v * WIDTH, (size_t)vectors * WIDTH);
  }
}

/// Stores `count` rows of inner values as the next product reads them.
static void store_inner_floats(const float *values, size_t first, size_t count, size_t lanes, float *inner) {
  if (!MULTIPLIES_BF16) {
    __builtin_memcpy(inner + first * lanes, values, count * lanes * sizeof(float));
    return;
  }
  for (size_t r = 0; r < count; r += 2)
    for (size_t i = 0; i < lanes; i += WIDTH) {
      const vector high = r + 1 < count ? load(values + (r + 1) * lanes + i) : all(0);
      store(inner + (first + r) / 2 * lanes + i, paired(load(values + r * lanes + i), high));
    }
}

/// Inner values `n` and following of one block, from unpacked rows of the weights.
static void inner_values_of_block(const ckernels_quantized_experts *work, int vectors, size_t n, size_t rows,
                                  expert_scratch s, const float *x, float *inner) {
  const size_t lanes = (size_t)vectors * WIDTH, depth = quantized_units(work->hidden);
  float gate[WIDTH * LANES], up[WIDTH * LANES];
  product(quantized_storage(), vectors, rows, s.up, depth, 1, x, depth, up, false);
  if (work->gate) product(quantized_storage(), vectors, rows, s.gate, depth, 1, x, depth, gate, false);
  for (size_t i = 0; i < rows * lanes; i += WIDTH) {
    const vector u = load(up + i);
    store(up + i, work->gate ? activated(work->activation, load(gate + i)) * u : activated(work->activation, u));
  }
  store_inner_floats(up, n, rows, lanes, inner);
}

static void quantized_inner_values(expert_run run, expert_scratch s) {
  const ckernels_quantized_experts *work = run.work;
  const size_t x_step = quantized_units(work->hidden) * LANES, inner_step = quantized_units(work->inner) * LANES;
  for (size_t n = 0; n < work->inner; n += WIDTH) {
    const size_t rows = least(WIDTH, work->inner - n);
    unpack_weights(work->up + run.first->expert, n, rows, s.up);
    if (work->gate) unpack_weights(work->gate + run.first->expert, n, rows, s.gate);
    for (size_t b = 0; b < run.count; ++b)
      inner_values_of_block(work, vectors_of(run.first + b), n, rows, s, s.x + b * x_step, s.inner + b * inner_step);
  }
}

static void quantized_answer_rows(expert_run run, expert_scratch s) {
  const ckernels_quantized_experts *work = run.work;
  const size_t depth = quantized_units(work->inner);
  float sums[WIDTH * LANES];
  for (size_t n = 0; n < work->hidden; n += WIDTH) {
    const size_t rows = least(WIDTH, work->hidden - n);
    unpack_weights(work->down + run.first->expert, n, rows, s.up);
    for (size_t b = 0; b < run.count; ++b) {
      const ckernels_block *block = run.first + b;
      const int vectors = vectors_of(block);
      product(quantized_storage(), vectors, rows, s.up, depth, 1, s.inner + b * depth * LANES, depth, sums, false);
      store_turned(sums, rows, vectors, block->count, false, work->answers, block->first * work->hidden + n,
                   work->hidden);
    }
  }
}

static void quantized_experts_blocks(const ckernels_quantized_experts *work, size_t first, size_t last, void *scratch) {
  const expert_scratch s = scratch_of(work, scratch);
  for (size_t b = first; b < last;) {
    expert_run run = {work, work->blocks + b, 1};
    while (run.count < CKERNELS_EXPERT_BLOCKS && b + run.count < last && run.first[run.count].expert == run.first->expert)
      ++run.count;
    for (size_t i = 0; i < run.count; ++i)
      pack_floats_of_block(work, run.first + i, s.x + i * quantized_units(work->hidden) * LANES);
    quantized_inner_values(run, s);
    quantized_answer_rows(run, s);
    b += run.count;
  }
}
