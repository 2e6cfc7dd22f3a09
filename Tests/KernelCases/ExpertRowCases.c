// The selected experts of one token, and weighted sums of experts' answers.

#include <math.h>
#include <string.h>

#include "Routing.h"

enum { CHOSEN = 3 };

/// Calls a step for parts of uneven sizes, last part first.
static void run_in_parts(void (*step)(const ckernels_expert_row *, size_t, size_t), const ckernels_expert_row *work,
                         size_t count) {
  size_t last = count;
  for (size_t part = 1; last > 0; ++part) {
    const size_t first = last > 5 * part ? last - 5 * part : 0;
    step(work, first, last);
    last = first;
  }
}

static void expect_result(trial *t, const ckernels_expert_row *work) {
  // Of work for one row, whose x is f32.
  ckernels_experts one = {.narrow = work->narrow, .activation = work->activation, .hidden = work->hidden};
  double *inner = trial_doubles(t, CHOSEN * work->inner), *errors = trial_doubles(t, CHOSEN * work->inner);
  for (size_t i = 0; i < CHOSEN * work->inner; ++i) {
    const size_t slot = i / work->inner, n = i % work->inner;
    inner_products p = {0};
    for (size_t k = 0; k < work->hidden; ++k) {
      const double x = work->x[k], up = x * trial_number(work->narrow, work->up[slot], n * work->hidden + k);
      p.up.value += up;
      p.up.error += F32_ERROR * fabs(up);
      if (!work->gate) continue;
      const double gate = x * trial_number(work->narrow, work->gate[slot], n * work->hidden + k);
      p.gate.value += gate;
      p.gate.error += F32_ERROR * fabs(gate);
    }
    one.gate = work->gate;
    one.narrow = false;  // values are f32
    const estimate h = inner_value(&one, p);
    trial_expect(t, "values", false, work->values, i, h.value, h.error);
    inner[i] = h.value;
    errors[i] = h.error;
  }
  for (size_t k = 0; k < work->hidden; ++k) {
    double sum = 0, error = 0;
    for (size_t i = 0; i < CHOSEN * work->inner; ++i) {
      const size_t slot = i / work->inner, n = i % work->inner;
      const double factor = work->weights[slot] * trial_number(work->narrow, work->down[slot], k * work->inner + n);
      sum += factor * inner[i];
      error += fabs(factor) * (errors[i] + F32_ERROR * fabs(inner[i]));
    }
    trial_expect(t, "result", work->narrow, work->result, k, sum, error);
  }
}

static void compare(trial *t, unsigned options, size_t hidden, size_t inner, bool in_parts) {
  const bool narrow = options & NARROW;
  trial_begin(t, "hidden %zu, inner %zu%s", hidden, inner, in_parts ? ", in parts" : "");
  const void *gate[CHOSEN], *up[CHOSEN], *down[CHOSEN];
  for (size_t slot = 0; slot < CHOSEN; ++slot) {
    gate[slot] = trial_numbers(t, narrow, inner * hidden);
    up[slot] = trial_numbers(t, narrow, inner * hidden);
    down[slot] = trial_numbers(t, narrow, hidden * inner);
  }
  ckernels_expert_row work = {.narrow = narrow, .hidden = hidden, .inner = inner, .chosen = CHOSEN};
  work.up = up, work.down = down;
  if (options & GATE) work.gate = gate;
  work.activation = (ckernels_activation)(options >> ACTIVATION_SHIFT);
  work.weights = trial_numbers(t, false, CHOSEN);
  work.x = trial_numbers(t, false, hidden);
  trial_seal(t);
  work.values = trial_results(t, false, CHOSEN * inner);
  work.result = trial_results(t, narrow, hidden);
  const ckernels_table *table = trial_table(t);
  if (in_parts) {
    table->expert_row_inner(&work, inner, inner + 1);
    trial_expect_unwritten(t, "values", false, work.values, 0, inner);
    trial_expect_unwritten(t, "values", false, work.values, inner + 1, CHOSEN * inner);
    run_in_parts(table->expert_row_inner, &work, CHOSEN * inner);
    table->expert_row_result(&work, hidden - 1, hidden);
    trial_expect_unwritten(t, "result", narrow, work.result, 0, hidden - 1);
    run_in_parts(table->expert_row_result, &work, hidden);
  } else {
    table->expert_row_inner(&work, 0, CHOSEN * inner);
    table->expert_row_result(&work, 0, hidden);
  }
  expect_result(t, &work);
}

static void expert_row(trial *t, unsigned options) {
  compare(t, options, 1, 1, false);
  compare(t, options, 5, 3, true);
  compare(t, options, 17, 33, true);
  compare(t, options, 24, 40, false);
  compare(t, options, 128, 20, true);
  compare(t, options, 67, 130, false);
}

#define ACTIVATIONS(name, options)                                                             \
  {"one row's experts: " name ", SiLU", expert_row, (options) | CKERNELS_SILU << ACTIVATION_SHIFT},    \
      {"one row's experts: " name ", ReLU", expert_row, (options) | CKERNELS_RELU << ACTIVATION_SHIFT}, \
  {                                                                                            \
    "one row's experts: " name ", GELU", expert_row, (options) | CKERNELS_GELU_TANH << ACTIVATION_SHIFT \
  }

const kernel_case expert_row_cases[] = {
    ACTIVATIONS("f32, gate", GATE), ACTIVATIONS("f32", 0),       ACTIVATIONS("bf16, gate", NARROW | GATE),
    ACTIVATIONS("bf16", NARROW),    {0},
};

enum { TOKENS = 7, ASSIGNMENTS = 12 };

static void combine_width(trial *t, unsigned options, size_t width) {
  const bool narrow = options & NARROW;
  trial_begin(t, "width %zu", width);
  // The third token has no expert; nobody asks for answer 4, and twice for answer 0.
  const int32_t starts[TOKENS + 1] = {0, 2, 5, 5, 6, 8, 11, 12};
  const int32_t places[ASSIGNMENTS] = {3, 7, 0, 11, 5, 1, 2, 10, 9, 8, 6, 0};
  float *answers = trial_numbers(t, false, ASSIGNMENTS * width);
  for (size_t i = 0; i < width; ++i) answers[4 * width + i] = NAN;
  answers[10 * width + width / 2] = INFINITY;
  ckernels_combination work = {.narrow = narrow, .width = width, .answers = answers};
  work.starts = trial_copy(t, starts, sizeof starts);
  work.places = trial_copy(t, places, sizeof places);
  work.weights = trial_numbers(t, false, ASSIGNMENTS);
  trial_seal(t);
  work.result = trial_results(t, narrow, TOKENS * width);
  trial_table(t)->combine(&work, 2, 5);
  trial_expect_unwritten(t, "result", narrow, work.result, 0, 2 * width);
  trial_expect_unwritten(t, "result", narrow, work.result, 5 * width, TOKENS * width);
  trial_table(t)->combine(&work, 5, TOKENS);
  trial_table(t)->combine(&work, 0, 2);
  for (size_t i = 0; i < TOKENS * width; ++i) {
    double sum = 0, error = 0;
    for (int32_t a = starts[i / width]; a < starts[i / width + 1]; ++a) {
      const double term = (double)work.weights[a] * answers[(size_t)places[a] * width + i % width];
      sum += term;
      error += F32_ERROR * fabs(term);
    }
    trial_expect(t, "result", narrow, work.result, i, sum, error);
  }
}

static void combine(trial *t, unsigned options) {
  const size_t widths[] = {1, 3, 8, 15, 16, 17, 40, 100};
  for (size_t i = 0; i < sizeof widths / sizeof *widths; ++i) combine_width(t, options, widths[i]);
}

const kernel_case combine_cases[] = {
    {"weighted sums of answers: f32", combine, 0},
    {"weighted sums of answers: bf16", combine, NARROW},
    {0},
};
