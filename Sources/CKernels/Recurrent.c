// Gated recurrent units (GRU) over sequences of different lengths. Up to 48 sequences, longest
// first, fill the lanes, so that those still running are the first lanes. Values are stored as
// [index][lane]; products with the state use the tile product, the rest is element-wise over lanes.

#include "Activation.h"
#include "CKernels.h"
#include "Tile.h"

#if defined(__x86_64__)

/// The planes of `hidden · lanes` values that a step keeps.
enum { RESET, UPDATE, NEW, PRODUCT, BEFORE, PLANES };

INLINE __m512 logistic(__m512 x) {
  __m512 e = exponential(_mm512_sub_ps(_mm512_setzero_ps(), x));
  return _mm512_div_ps(_mm512_set1_ps(1), _mm512_add_ps(_mm512_set1_ps(1), e));
}

INLINE __m512 hyperbolic_tangent(__m512 x) {
  __m512 e = exponential(_mm512_add_ps(x, x));
  __m512 below = _mm512_div_ps(_mm512_set1_ps(2), _mm512_add_ps(e, _mm512_set1_ps(1)));
  return _mm512_sub_ps(_mm512_set1_ps(1), below);
}

/// A block of sequences and the state of one step.
typedef struct {
  const ckernels_recurrence *work;
  const ckernels_recurrence_block *block;
  size_t lanes, plane, step, active;
  int vectors;
} recurrence_step;

INLINE size_t length_of(const recurrence_step *s, size_t lane) {
  return s->work->lengths[s->work->order[s->block->first + lane]];
}

INLINE size_t row_of(const recurrence_step *s, size_t lane) {
  return s->work->starts[s->work->order[s->block->first + lane]] + s->step;
}

/// Finds the lanes whose sequences reach a step.
INLINE void enter(recurrence_step *s, size_t step) {
  s->step = step;
  s->active = s->block->count;
  while (s->active > 0 && length_of(s, s->active - 1) <= step) --s->active;
  s->vectors = (int)((s->active + WIDTH - 1) / WIDTH);
}

INLINE recurrence_step first_step(const ckernels_recurrence *work, size_t index) {
  recurrence_step s = {.work = work, .block = work->blocks + index, .lanes = work->lanes};
  s.plane = work->hidden * work->lanes;
  return s;
}

/// values[i][lane] = rows(lane)[i] for the lanes of a step.
INLINE void load_lanes(const recurrence_step *s, const float *rows, size_t width, float *values) {
  for (int v = 0; v < s->vectors; ++v) {
    const word *list[WIDTH];
    for (size_t i = 0; i < WIDTH; ++i) {
      size_t lane = v * WIDTH + i;
      list[i] = lane < s->active ? (const word *)(rows + row_of(s, lane) * width) : NULL;
    }
    pack_rows(list, width, (word *)values + v * WIDTH, s->lanes);
  }
}

/// Transposes 16 lanes of `count` values each from [index][lane] to rows; lanes whose row is NULL
/// are skipped.
INLINE void unpack_rows(const float *values, size_t lanes, size_t count, float *const row[WIDTH]) {
  for (size_t k = 0; k < count; k += WIDTH) {
    size_t part = count - k < WIDTH ? count - k : WIDTH;
    __m512 block[WIDTH];
    for (size_t i = 0; i < WIDTH; ++i)
      block[i] = i < part ? _mm512_loadu_ps(values + (k + i) * lanes) : _mm512_setzero_ps();
    transpose(block);
    for (size_t i = 0; i < WIDTH; ++i)
      if (row[i]) _mm512_mask_storeu_ps(row[i] + k, low_lanes(part), block[i]);
  }
}

/// rows(lane)[at + i] = values[i][lane] for the lanes of a step; rows are `width` long.
INLINE void store_lanes(const recurrence_step *s, const float *values, size_t count, float *rows, size_t width,
                        size_t at) {
  for (int v = 0; v < s->vectors; ++v) {
    float *list[WIDTH];
    for (size_t i = 0; i < WIDTH; ++i) {
      size_t lane = v * WIDTH + i;
      list[i] = lane < s->active ? rows + row_of(s, lane) * width + at : NULL;
    }
    unpack_rows(values + v * WIDTH, s->lanes, count, list);
  }
}

size_t ckernels_recurrence_kept(size_t hidden, size_t lanes) { return PLANES * hidden * lanes; }

size_t ckernels_recurrence_scratch(const ckernels_recurrence *work) {
  return 8 * work->hidden * work->lanes * sizeof(float);
}

FAST static void step_forward(const recurrence_step *s, float *state, float *inputs, float *products) {
  const ckernels_recurrence *work = s->work;
  const size_t hidden = work->hidden, lanes = s->lanes, plane = s->plane;
  float *kept = work->kept ? work->kept + s->block->kept + s->step * PLANES * plane : NULL;
  load_lanes(s, work->projections, 3 * hidden, inputs);
  strided_product(false, s->vectors, 3 * hidden,
                  (operands){(const word *)work->weight, hidden, 1, (const word *)state, lanes, hidden, products,
                             lanes, false});
  for (size_t j = 0; j < hidden; ++j) {
    const __m512 reset_bias = _mm512_set1_ps(work->bias[j]), update_bias = _mm512_set1_ps(work->bias[hidden + j]);
    const __m512 new_bias = _mm512_set1_ps(work->bias[2 * hidden + j]);
    for (int v = 0; v < s->vectors; ++v) {
      const size_t at = j * lanes + v * WIDTH;
#define BOTH(gate) \
  _mm512_add_ps(_mm512_loadu_ps(inputs + (gate) * plane + at), _mm512_loadu_ps(products + (gate) * plane + at))
      __m512 reset = logistic(_mm512_add_ps(BOTH(0), reset_bias));
      __m512 update = logistic(_mm512_add_ps(BOTH(1), update_bias));
#undef BOTH
      __m512 product = _mm512_add_ps(_mm512_loadu_ps(products + 2 * plane + at), new_bias);
      __m512 new = hyperbolic_tangent(_mm512_fmadd_ps(reset, product, _mm512_loadu_ps(inputs + 2 * plane + at)));
      __m512 before = _mm512_loadu_ps(state + at);
      __m512 after = _mm512_fmadd_ps(update, _mm512_sub_ps(before, new), new);
      _mm512_mask_storeu_ps(state + at, low_lanes(s->active - v * WIDTH), after);
      if (!kept) continue;
      _mm512_storeu_ps(kept + RESET * plane + at, reset);
      _mm512_storeu_ps(kept + UPDATE * plane + at, update);
      _mm512_storeu_ps(kept + NEW * plane + at, new);
      _mm512_storeu_ps(kept + PRODUCT * plane + at, product);
      _mm512_storeu_ps(kept + BEFORE * plane + at, before);
    }
  }
}

FAST void ckernels_recurrence_forward(const ckernels_recurrence *work, size_t index, void *scratch) {
  recurrence_step s = first_step(work, index);
  float *state = scratch, *inputs = state + s.plane, *products = inputs + 3 * s.plane;
  for (size_t i = 0; i < s.plane; ++i) state[i] = 0;
  const size_t steps = length_of(&s, 0);
  for (size_t step = 0; step < steps; ++step) {
    enter(&s, step);
    step_forward(&s, state, inputs, products);
  }
  for (size_t first = 0; first < s.block->count; first += WIDTH) {
    float *rows[WIDTH];
    for (size_t i = 0; i < WIDTH; ++i)
      rows[i] = first + i < s.block->count ? work->last + work->order[s.block->first + first + i] * work->hidden : NULL;
    unpack_rows(state + first, s.lanes, work->hidden, rows);
  }
}

FAST static void step_backward(const recurrence_step *s, const ckernels_recurrence_backward *work, float *gradient,
                               float *changes, float *inner) {
  const size_t hidden = s->work->hidden, lanes = s->lanes, plane = s->plane;
  const float *kept = s->work->kept + s->block->kept + s->step * PLANES * plane;
  const __m512 one = _mm512_set1_ps(1);
  for (size_t j = 0; j < hidden; ++j) {
    for (int v = 0; v < s->vectors; ++v) {
      const size_t at = j * lanes + v * WIDTH;
      const __mmask16 valid = low_lanes(s->active - v * WIDTH);
      __m512 reset = _mm512_loadu_ps(kept + RESET * plane + at), update = _mm512_loadu_ps(kept + UPDATE * plane + at);
      __m512 new = _mm512_loadu_ps(kept + NEW * plane + at), product = _mm512_loadu_ps(kept + PRODUCT * plane + at);
      __m512 before = _mm512_loadu_ps(kept + BEFORE * plane + at), after = _mm512_loadu_ps(gradient + at);
      __m512 new_change = _mm512_mul_ps(_mm512_mul_ps(after, _mm512_sub_ps(one, update)),
                                        _mm512_fnmadd_ps(new, new, one));
      __m512 update_change = _mm512_mul_ps(_mm512_mul_ps(after, _mm512_sub_ps(before, new)),
                                           _mm512_mul_ps(update, _mm512_sub_ps(one, update)));
      __m512 reset_change = _mm512_mul_ps(_mm512_mul_ps(new_change, product),
                                          _mm512_mul_ps(reset, _mm512_sub_ps(one, reset)));
      _mm512_storeu_ps(changes + at, _mm512_maskz_mov_ps(valid, reset_change));
      _mm512_storeu_ps(changes + plane + at, _mm512_maskz_mov_ps(valid, update_change));
      _mm512_storeu_ps(changes + 2 * plane + at, _mm512_maskz_mul_ps(valid, new_change, reset));
      _mm512_storeu_ps(inner + at, new_change);
      _mm512_mask_storeu_ps(gradient + at, valid, _mm512_mul_ps(after, update));
    }
  }
  strided_product(false, s->vectors, hidden,
                  (operands){(const word *)s->work->weight, 1, hidden, (const word *)changes, lanes, 3 * hidden,
                             gradient, lanes, true});
  store_lanes(s, changes, 3 * hidden, work->state_changes, 3 * hidden, 0);
  store_lanes(s, changes, 2 * hidden, work->input_changes, 3 * hidden, 0);
  store_lanes(s, inner, hidden, work->input_changes, 3 * hidden, 2 * hidden);
  store_lanes(s, kept + BEFORE * plane, hidden, work->states, hidden, 0);
}

FAST void ckernels_recurrence_backward_of(const ckernels_recurrence_backward *work, size_t index, void *scratch) {
  recurrence_step s = first_step(work->forward, index);
  float *gradient = scratch, *changes = gradient + s.plane, *inner = changes + 3 * s.plane;
  const size_t hidden = work->forward->hidden;
  for (size_t first = 0; first < s.lanes; first += WIDTH) {
    const word *rows[WIDTH];
    for (size_t i = 0; i < WIDTH; ++i) {
      size_t lane = first + i;
      rows[i] = lane < s.block->count
                    ? (const word *)(work->gradient + work->forward->order[s.block->first + lane] * hidden)
                    : NULL;
    }
    pack_rows(rows, hidden, (word *)gradient + first, s.lanes);
  }
  for (size_t step = length_of(&s, 0); step-- > 0;) {
    enter(&s, step);
    step_backward(&s, work, gradient, changes, inner);
  }
}

#else

size_t ckernels_recurrence_kept(size_t hidden, size_t lanes) { return 0; }
size_t ckernels_recurrence_scratch(const ckernels_recurrence *work) { return 0; }
void ckernels_recurrence_forward(const ckernels_recurrence *work, size_t index, void *scratch) {}
void ckernels_recurrence_backward_of(const ckernels_recurrence_backward *work, size_t index, void *scratch) {}

#endif
