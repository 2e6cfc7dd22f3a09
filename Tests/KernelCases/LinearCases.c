// x · weightᵀ + bias.

#include <math.h>
#include <string.h>

#include "Trial.h"

enum { SPECIAL = 8, APART = 16, DOTS = 32 };

/// Runs each range by itself, in any order; the first must leave all other results alone.
static void run_apart(trial *t, const ckernels_linear *work) {
  const size_t width = trial_table(t)->width, ranges = (work->outputs + width - 1) / width;
  const size_t *order = trial_order(t, ranges);
  trial_table(t)->linear_outputs(work, 0, 0);
  for (size_t i = 0; i < ranges; ++i) {
    trial_table(t)->linear_outputs(work, order[i], order[i] + 1);
    const size_t first = order[i] * width, last = trial_least(first + width, work->outputs);
    for (size_t r = 0; r < work->rows && i == 0; ++r) {
      trial_expect_unwritten(t, "result", work->narrow, work->result, r * work->outputs, r * work->outputs + first);
      trial_expect_unwritten(t, "result", work->narrow, work->result, r * work->outputs + last,
                             (r + 1) * work->outputs);
    }
  }
}

static void run_packed(trial *t, unsigned options, ckernels_linear *work) {
  const ckernels_table *table = trial_table(t);
  const size_t parts = trial_rounded_up(work->rows, table->width) / table->width;
  work->packed = trial_results(t, false, table->linear_packed_count(work));
  if (options & APART)
    for (size_t part = parts; part-- > 0;) table->linear_pack(work, part, part + 1);
  else
    table->linear_pack(work, 0, parts);
  if (options & APART)
    run_apart(t, work);
  else
    table->linear_outputs(work, 0, trial_rounded_up(work->outputs, table->width) / table->width);
}

/// Computes uneven parts of the outputs, and expects the same bits for each row alone.
static void run_dots(trial *t, unsigned options, const ckernels_linear *work) {
  const ckernels_table *table = trial_table(t);
  if (options & APART) {
    const size_t last = work->outputs, middle = last / 3;
    table->linear_dots(work, middle, last);
    trial_expect_unwritten(t, "result", work->narrow, work->result, 0, middle);
    table->linear_dots(work, 0, middle);
  } else {
    table->linear_dots(work, 0, work->outputs);
  }
  const size_t bytes = work->narrow ? 2 : 4;
  for (size_t r = 0; r < work->rows; ++r) {
    ckernels_linear alone = *work;
    alone.rows = 1;
    alone.x = (const char *)work->x + r * work->inputs * bytes;
    alone.result = trial_results(t, work->narrow, work->outputs);
    table->linear_dots(&alone, 0, work->outputs);
    if (memcmp(alone.result, (const char *)work->result + r * work->outputs * bytes, work->outputs * bytes))
      trial_fail(t, "row %zu differs from the same row alone", r);
  }
}

static void compare(trial *t, unsigned options, size_t rows, size_t inputs, size_t outputs) {
  const bool narrow = options & NARROW;
  trial_begin(t, "%zu rows, %zu inputs, %zu outputs", rows, inputs, outputs);
  void *x = trial_numbers(t, narrow, rows * inputs);
  ckernels_linear work = {.narrow = narrow, .rows = rows, .inputs = inputs, .outputs = outputs, .x = x};
  work.weight = trial_numbers(t, narrow, outputs * inputs);
  if (options & BIAS) work.bias = trial_numbers(t, narrow, outputs);
  if (options & SPECIAL) {
    trial_set(narrow, x, rows / 2 * inputs + inputs / 2, NAN);
    trial_set(narrow, x, (rows - 1) * inputs + inputs - 1, INFINITY);
  }
  trial_seal(t);
  work.result = trial_results(t, narrow, rows * outputs);
  if (options & DOTS)
    run_dots(t, options, &work);
  else
    run_packed(t, options, &work);
  for (size_t r = 0; r < rows; ++r)
    for (size_t n = 0; n < outputs; ++n) {
      double sum = work.bias ? trial_number(narrow, work.bias, n) : 0, size = fabs(sum);
      for (size_t k = 0; k < inputs; ++k) {
        const double term = trial_number(narrow, x, r * inputs + k) * trial_number(narrow, work.weight, n * inputs + k);
        sum += term;
        size += fabs(term);
      }
      trial_expect(t, "result", narrow, work.result, r * outputs + n, sum, F32_ERROR * size);
    }
}

static void compare_sizes(trial *t, unsigned options, size_t rows) {
  const size_t inputs[] = {64, 1, 7, 16, 33, 17, 130}, width = trial_table(t)->width;
  const size_t outputs[] = {1, width, 2 * width + 3, width - 1, width + 1};
  const size_t chosen = inputs[rows % 7];
  const bool is_even = options & NARROW && !(options & DOTS);
  compare(t, options, rows, is_even ? trial_rounded_up(chosen, 2) : chosen, outputs[rows % 5]);
}

static void all_rows(trial *t, unsigned options) {
  for (size_t rows = 1; rows <= 2 * trial_table(t)->lanes + 1; ++rows) compare_sizes(t, options, rows);
  compare_sizes(t, options, 200);
}

static void some_rows(trial *t, unsigned options) {
  const size_t lanes = trial_table(t)->lanes, width = trial_table(t)->width;
  const size_t rows[] = {1, 2, width, width + 1, lanes, lanes + 1, 2 * lanes + width - 1};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) compare(t, options, rows[i], 34, 4 * width + 5);
}

/// Every number of columns, with every number of rows of a tile.
static void all_columns(trial *t, unsigned options) {
  for (size_t columns = 1; columns <= 130; ++columns) compare(t, options, 1 + columns % 9, columns, 1 + columns % 35);
}

const kernel_case linear_cases[] = {
    {"linear: f32", all_rows, 0},
    {"linear: f32, bias", all_rows, BIAS},
    {"linear: bf16", all_rows, NARROW},
    {"linear: bf16, bias", all_rows, NARROW | BIAS},
    {"linear: f32, bias, ranges in any order", some_rows, BIAS | APART},
    {"linear: bf16, bias, ranges in any order", some_rows, NARROW | BIAS | APART},
    {"linear: f32, infinities and NaN stay in their rows", some_rows, SPECIAL},
    {"linear: bf16, infinities and NaN stay in their rows", some_rows, NARROW | SPECIAL},
    {"linear as dot products: f32", all_columns, DOTS},
    {"linear as dot products: f32, bias", all_columns, DOTS | BIAS},
    {"linear as dot products: bf16", all_columns, DOTS | NARROW},
    {"linear as dot products: bf16, bias", all_columns, DOTS | NARROW | BIAS | APART},
    {"linear as dot products: f32, infinities and NaN stay in their rows", some_rows, DOTS | SPECIAL | APART},
    {"linear as dot products: bf16, infinities and NaN stay in their rows", some_rows, DOTS | NARROW | SPECIAL},
    {0},
};
