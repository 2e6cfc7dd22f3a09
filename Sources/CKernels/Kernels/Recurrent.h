// Gated recurrent units (GRU) over sequences of different lengths. Up to LANES sequences,
// longest first, fill the lanes, so that those still running are the first lanes. Values are stored as
// [index][lane]; products with the state use the tile product, the rest is element-wise over lanes.

#include "Activation.h"
#include "CKernels.h"
#include "Tile.h"

/// The planes of `hidden · lanes` values that a step keeps.
enum { RESET, UPDATE, NEW, PRODUCT, BEFORE, PLANES };

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
    const void *list[WIDTH];
    for (size_t i = 0; i < WIDTH; ++i) {
      size_t lane = v * WIDTH + i;
      list[i] = lane < s->active ? rows + row_of(s, lane) * width : NULL;
    }
    pack_rows(F32, list, width, values + v * WIDTH, s->lanes);
  }
}

/// Transposes WIDTH lanes of `count` values each from [index][lane] to rows; lanes whose row is
/// NULL are skipped.
INLINE void unpack_rows(const float *values, size_t lanes, size_t count, float *const row[WIDTH]) {
  for (size_t k = 0; k < count; k += WIDTH) {
    size_t part = count - k < WIDTH ? count - k : WIDTH;
    vector block[WIDTH];
    for (size_t i = 0; i < WIDTH; ++i) block[i] = i < part ? load(values + (k + i) * lanes) : all(0);
    transpose(block);
    for (size_t i = 0; i < WIDTH; ++i)
      if (row[i]) store_part(row[i] + k, part, block[i]);
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

static size_t recurrence_kept(size_t hidden, size_t lanes) { return PLANES * hidden * lanes; }

static size_t recurrence_scratch(const ckernels_recurrence *work) {
  return 8 * work->hidden * work->lanes * sizeof(float);
}

static void step_forward(const recurrence_step *s, float *state, float *inputs, float *products) {
  const ckernels_recurrence *work = s->work;
  const size_t hidden = work->hidden, lanes = s->lanes, plane = s->plane;
  float *kept = work->kept ? work->kept + s->block->kept + s->step * PLANES * plane : NULL;
  load_lanes(s, work->projections, 3 * hidden, inputs);
  strided_product(F32, s->vectors, 3 * hidden,
                  (operands){work->weight, hidden, 1, state, lanes, hidden, products, lanes, false});
  for (size_t j = 0; j < hidden; ++j) {
    const float reset_bias = work->bias[j], update_bias = work->bias[hidden + j];
    const float new_bias = work->bias[2 * hidden + j];
    for (int v = 0; v < s->vectors; ++v) {
      const size_t at = j * lanes + v * WIDTH;
      vector reset = logistic(load(inputs + at) + load(products + at) + reset_bias);
      vector update = logistic(load(inputs + plane + at) + load(products + plane + at) + update_bias);
      vector product = load(products + 2 * plane + at) + new_bias;
      vector new = hyperbolic_tangent(fused(reset, product, load(inputs + 2 * plane + at)));
      vector before = load(state + at);
      vector after = fused(update, before - new, new);
      store(state + at, chosen(low_lanes(s->active - v * WIDTH), after, before));
      if (!kept) continue;
      store(kept + RESET * plane + at, reset);
      store(kept + UPDATE * plane + at, update);
      store(kept + NEW * plane + at, new);
      store(kept + PRODUCT * plane + at, product);
      store(kept + BEFORE * plane + at, before);
    }
  }
}

static void recurrence_forward(const ckernels_recurrence *work, size_t index, void *scratch) {
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

/// Gradients through the gates of one step; lanes that have ended get zeros and keep their gradient.
static void gates_backward(const recurrence_step *s, float *gradient, float *changes, float *inner) {
  const size_t hidden = s->work->hidden, lanes = s->lanes, plane = s->plane;
  const float *kept = s->work->kept + s->block->kept + s->step * PLANES * plane;
  for (size_t j = 0; j < hidden; ++j)
    for (int v = 0; v < s->vectors; ++v) {
      const size_t at = j * lanes + v * WIDTH;
      const mask valid = low_lanes(s->active - v * WIDTH);
      vector reset = load(kept + RESET * plane + at), update = load(kept + UPDATE * plane + at);
      vector new = load(kept + NEW * plane + at), product = load(kept + PRODUCT * plane + at);
      vector before = load(kept + BEFORE * plane + at), after = load(gradient + at);
      vector new_change = after * (1 - update) * fused(-new, new, all(1));
      vector update_change = (after * (before - new)) * (update * (1 - update));
      vector reset_change = (new_change * product) * (reset * (1 - reset));
      store(changes + at, chosen(valid, reset_change, all(0)));
      store(changes + plane + at, chosen(valid, update_change, all(0)));
      store(changes + 2 * plane + at, chosen(valid, new_change * reset, all(0)));
      store(inner + at, new_change);
      store(gradient + at, chosen(valid, after * update, after));
    }
}

static void step_backward(const recurrence_step *s, const ckernels_recurrence_backward *work, float *gradient,
                          float *changes, float *inner) {
  const size_t hidden = s->work->hidden, lanes = s->lanes, plane = s->plane;
  const float *kept = s->work->kept + s->block->kept + s->step * PLANES * plane;
  gates_backward(s, gradient, changes, inner);
  strided_product(F32, s->vectors, hidden,
                  (operands){s->work->weight, 1, hidden, changes, lanes, 3 * hidden, gradient, lanes, true});
  store_lanes(s, changes, 3 * hidden, work->state_changes, 3 * hidden, 0);
  store_lanes(s, changes, 2 * hidden, work->input_changes, 3 * hidden, 0);
  store_lanes(s, inner, hidden, work->input_changes, 3 * hidden, 2 * hidden);
  store_lanes(s, kept + BEFORE * plane, hidden, work->states, hidden, 0);
}

static void recurrence_backward_of(const ckernels_recurrence_backward *work, size_t index, void *scratch) {
  recurrence_step s = first_step(work->forward, index);
  float *gradient = scratch, *changes = gradient + s.plane, *inner = changes + 3 * s.plane;
  const size_t hidden = work->forward->hidden;
  for (size_t first = 0; first < s.lanes; first += WIDTH) {
    const void *rows[WIDTH];
    for (size_t i = 0; i < WIDTH; ++i) {
      size_t lane = first + i;
      rows[i] = lane < s.block->count ? work->gradient + work->forward->order[s.block->first + lane] * hidden : NULL;
    }
    pack_rows(F32, rows, hidden, gradient + first, s.lanes);
  }
  for (size_t step = length_of(&s, 0); step-- > 0;) {
    enter(&s, step);
    step_backward(&s, work, gradient, changes, inner);
  }
}
