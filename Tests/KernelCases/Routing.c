#include "Routing.h"

#include <math.h>

#include "Activations.h"

routing routed(trial *t) {
  const size_t width = trial_table(t)->width, lanes = trial_table(t)->lanes;
  const size_t counts[EXPERTS] = {1, 0, width, lanes + 1, lanes, 3};
  routing r = {.tokens = lanes + 3};
  for (size_t e = 0; e < EXPERTS; ++e) {
    for (size_t done = 0; done < counts[e]; done += lanes) {
      const size_t count = trial_least(lanes, counts[e] - done);
      r.block[r.blocks++] = (ckernels_block){e, r.assignments + done, count, r.lanes};
      r.lanes += trial_rounded_up(count, width);
    }
    r.starts[e + 1] = r.blocks;
    r.assignments += counts[e];
  }
  int32_t rows[r.assignments];
  for (size_t a = 0; a < r.assignments; ++a) rows[a] = (int32_t)trial_below(t, r.tokens - 1);
  r.rows = trial_copy(t, rows, sizeof rows);
  return r;
}

static const ckernels_block *block_of(const routing *r, size_t assignment) {
  const ckernels_block *b = r->block;
  while (assignment >= b->first + b->count) ++b;
  return b;
}

size_t expert_of(const routing *r, size_t assignment) { return block_of(r, assignment)->expert; }

size_t kept_place(const trial *t, const routing *r, size_t assignment, size_t inner, size_t n) {
  const ckernels_block *b = block_of(r, assignment);
  return b->lane * inner + n * trial_rounded_up(b->count, trial_table(t)->width) + assignment - b->first;
}

ckernels_experts experts_work(trial *t, unsigned options, const routing *r, size_t hidden, size_t inner,
                              expert_weights *weights) {
  const bool narrow = options & NARROW;
  ckernels_experts work = {.narrow = narrow, .hidden = hidden, .inner = inner, .rows = r->rows};
  work.activation = (ckernels_activation)(options >> ACTIVATION_SHIFT);
  for (size_t e = 0; e < EXPERTS; ++e) {
    if (options & GATE) weights->gate[e] = trial_numbers(t, narrow, inner * hidden);
    weights->up[e] = trial_numbers(t, narrow, inner * hidden);
    weights->down[e] = trial_numbers(t, narrow, hidden * inner);
    if (options & BIAS) weights->up_bias[e] = trial_numbers(t, narrow, inner);
    if (options & BIAS) weights->down_bias[e] = trial_numbers(t, narrow, hidden);
  }
  if (options & GATE) work.gate = weights->gate;
  work.up = weights->up;
  work.down = weights->down;
  if (options & BIAS) work.up_bias = weights->up_bias;
  if (options & BIAS) work.down_bias = weights->down_bias;
  work.blocks = trial_copy(t, r->block, r->blocks * sizeof *r->block);
  return work;
}

static estimate product(const ckernels_experts *work, const void *weight, const void *bias, size_t token, size_t n) {
  estimate sum = {0};
  if (bias) sum.value = trial_number(work->narrow, bias, n);
  sum.error = fabs(sum.value);
  for (size_t k = 0; k < work->hidden; ++k) {
    const double term = trial_number(work->narrow, weight, n * work->hidden + k) *
                        trial_number(work->narrow, work->x, token * work->hidden + k);
    sum.value += term;
    sum.error += fabs(term);
  }
  sum.error *= F32_ERROR;
  return sum;
}

inner_products products_of(const ckernels_experts *work, size_t expert, size_t token, size_t n) {
  inner_products p = {0};
  if (work->gate) p.gate = product(work, work->gate[expert], NULL, token, n);
  p.up = product(work, work->up[expert], work->up_bias ? work->up_bias[expert] : NULL, token, n);
  return p;
}

estimate inner_value(const ckernels_experts *work, inner_products p) {
  estimate h;
  if (work->gate) {
    const double activation = activation_value(work->activation, p.gate.value);
    h.value = activation * p.up.value;
    h.error = STEEPEST * p.gate.error * fabs(p.up.value) + fabs(activation) * p.up.error;
  } else {
    h.value = activation_value(work->activation, p.up.value);
    h.error = STEEPEST * p.up.error;
  }
  // Kernels for bf16 may round it.
  h.error += (work->narrow ? BF16_ERROR : F32_ERROR) * fabs(h.value);
  return h;
}
