// Feed-forward experts on the rows routed to them.

#include <math.h>
#include <string.h>

#include "Routing.h"

enum { BLOCK_BY_BLOCK = 1, KEEPS = 2, DOTS = 4 };

static void expect_kept(trial *t, const ckernels_experts *work, const routing *r, size_t a, size_t n,
                        inner_products p) {
  const size_t at = kept_place(t, r, a, work->inner, n);
  if (work->gate) trial_expect(t, "gate_values", false, work->gate_values, at, p.gate.value, p.gate.error);
  trial_expect(t, "up_values", false, work->up_values, at, p.up.value, p.up.error);
}

static void expect_answers(trial *t, const ckernels_experts *work, const routing *r) {
  double *inner = trial_doubles(t, work->inner), *errors = trial_doubles(t, work->inner);
  for (size_t a = 0; a < r->assignments; ++a) {
    const size_t expert = expert_of(r, a);
    for (size_t n = 0; n < work->inner; ++n) {
      const inner_products p = products_of(work, expert, (size_t)r->rows[a], n);
      if (work->up_values) expect_kept(t, work, r, a, n, p);
      const estimate h = inner_value(work, p);
      if (work->values) trial_expect(t, "values", work->narrow, work->values, a * work->inner + n, h.value, h.error);
      inner[n] = h.value;
      errors[n] = h.error;
    }
    for (size_t k = 0; k < work->hidden; ++k) {
      double sum = work->down_bias ? trial_number(work->narrow, work->down_bias[expert], k) : 0;
      double error = F32_ERROR * fabs(sum);
      for (size_t n = 0; n < work->inner; ++n) {
        const double weight = trial_number(work->narrow, work->down[expert], k * work->inner + n);
        sum += weight * inner[n];
        error += fabs(weight) * (errors[n] + F32_ERROR * fabs(inner[n]));
      }
      trial_expect(t, "answers", false, work->answers, a * work->hidden + k, sum, error);
    }
  }
}

static void run_pieces(trial *t, void (*step)(const ckernels_experts *, size_t, size_t), const ckernels_experts *work,
                       size_t blocks, size_t outputs, bool in_parts) {
  const size_t size = CKERNELS_DOT_OUTPUTS, pieces = blocks * (trial_rounded_up(outputs, size) / size);
  if (!in_parts) return step(work, 0, pieces);
  const size_t *order = trial_order(t, pieces);
  for (size_t i = 0; i < pieces; ++i) step(work, order[i], order[i] + 1);
}

/// Expects the same bits for blocks of one assignment each.
static void run_dots(trial *t, ckernels_experts *work, const routing *r, bool in_parts) {
  const ckernels_table *table = trial_table(t);
  work->values = trial_results(t, work->narrow, r->assignments * work->inner);
  run_pieces(t, table->experts_dot_inner, work, r->blocks, work->inner, in_parts);
  run_pieces(t, table->experts_dot_answers, work, r->blocks, work->hidden, in_parts);
  ckernels_experts alone = *work;
  alone.values = trial_results(t, work->narrow, r->assignments * work->inner);
  alone.answers = trial_results(t, false, r->assignments * work->hidden);
  for (size_t a = 0; a < r->assignments; ++a) {
    const ckernels_block block = {.expert = expert_of(r, a), .first = a, .count = 1};
    alone.blocks = &block;
    run_pieces(t, table->experts_dot_inner, &alone, 1, work->inner, in_parts);
    run_pieces(t, table->experts_dot_answers, &alone, 1, work->hidden, in_parts);
  }
  if (memcmp(work->answers, alone.answers, r->assignments * work->hidden * sizeof(float)))
    trial_fail(t, "answers differ from those of each assignment alone");
}

static void run_blocks(trial *t, const ckernels_experts *work, const routing *r, unsigned manner) {
  void *scratch = trial_scratch(t, trial_table(t)->experts_scratch(work));
  if (!(manner & BLOCK_BY_BLOCK)) return trial_table(t)->experts_blocks(work, 0, r->blocks, scratch);
  const size_t *order = trial_order(t, r->blocks);
  trial_table(t)->experts_blocks(work, 1, 1, scratch);
  for (size_t i = 0; i < r->blocks; ++i) {
    const ckernels_block *b = r->block + order[i];
    trial_table(t)->experts_blocks(work, order[i], order[i] + 1, scratch);
    if (i > 0) continue;
    trial_expect_unwritten(t, "answers", false, work->answers, 0, b->first * work->hidden);
    trial_expect_unwritten(t, "answers", false, work->answers, (b->first + b->count) * work->hidden,
                           r->assignments * work->hidden);
  }
}

static void compare(trial *t, unsigned options, size_t hidden, size_t inner, unsigned manner) {
  const bool narrow = options & NARROW;
  trial_begin(t, "hidden %zu, inner %zu%s%s", hidden, inner, manner & BLOCK_BY_BLOCK ? ", block by block" : "",
              manner & KEEPS ? ", values kept" : "");
  const routing r = routed(t);
  expert_weights weights = {0};
  ckernels_experts work = experts_work(t, options, &r, hidden, inner, &weights);
  void *x = trial_numbers(t, narrow, r.tokens * hidden);
  // One token has values for which activations reach their limits.
  for (size_t k = 0; k < hidden; ++k) trial_set(narrow, x, (size_t)r.rows[0] * hidden + k, 512 * trial_random(t));
  // A token with one bad value spoils its own answers; one that nobody asks for spoils none.
  trial_set(narrow, x, (size_t)r.rows[r.assignments / 2] * hidden + hidden / 2, NAN);
  for (size_t k = 0; k < hidden; ++k) trial_set(narrow, x, (r.tokens - 1) * hidden + k, NAN);
  work.x = x;
  trial_seal(t);
  work.answers = trial_results(t, false, r.assignments * hidden);
  if (manner & KEEPS) work.up_values = trial_results(t, false, r.lanes * inner);
  if (manner & KEEPS && work.gate) work.gate_values = trial_results(t, false, r.lanes * inner);
  if (manner & DOTS)
    run_dots(t, &work, &r, manner & BLOCK_BY_BLOCK);
  else
    run_blocks(t, &work, &r, manner);
  expect_answers(t, &work, &r);
}

static void experts(trial *t, unsigned options) {
  const size_t width = trial_table(t)->width;
  const bool narrow = options & NARROW;
  compare(t, options, narrow ? 6 : 5, narrow ? 2 : 3, 0);
  compare(t, options, 24, 40, BLOCK_BY_BLOCK);
  compare(t, options, narrow ? 34 : 33, narrow ? 18 : 17, KEEPS);
  compare(t, options, 2 * width, 3 * width, BLOCK_BY_BLOCK | KEEPS);
  compare(t, options, 5, 3, DOTS);
  compare(t, options, 33, 17, DOTS | BLOCK_BY_BLOCK);
  compare(t, options, 2 * width, 3 * width, DOTS);
}

#define ACTIVATIONS(name, options)                                                    \
  {"experts: " name ", SiLU", experts, (options) | CKERNELS_SILU << ACTIVATION_SHIFT},    \
      {"experts: " name ", ReLU", experts, (options) | CKERNELS_RELU << ACTIVATION_SHIFT}, \
  {                                                                                   \
    "experts: " name ", GELU", experts, (options) | CKERNELS_GELU_TANH << ACTIVATION_SHIFT \
  }

const kernel_case experts_cases[] = {
    ACTIVATIONS("f32, gate", GATE),
    ACTIVATIONS("f32", 0),
    ACTIVATIONS("f32, biases", BIAS),
    ACTIVATIONS("bf16, gate", NARROW | GATE),
    ACTIVATIONS("bf16", NARROW),
    ACTIVATIONS("bf16, biases", NARROW | BIAS),
    {0},
};
