// y = weight · x.

#include <math.h>

#include "Trial.h"

static void compare(trial *t, bool narrow, size_t rows, size_t columns, bool special) {
  trial_begin(t, "%zu rows, %zu columns%s", rows, columns, special ? ", infinities and NaN" : "");
  void *weight = trial_numbers(t, narrow, rows * columns), *x = trial_numbers(t, narrow, columns);
  if (special) {
    trial_set(narrow, weight, 1 * columns + columns - 1, INFINITY);
    trial_set(narrow, weight, 2 * columns, NAN);
    trial_set(narrow, weight, 3 * columns + columns / 2, -INFINITY);
  }
  trial_seal(t);
  void *y = trial_results(t, narrow, rows);
  if (narrow)
    trial_table(t)->matrix_vector_bf16(weight, x, y, rows, columns);
  else
    trial_table(t)->matrix_vector_f32(weight, x, y, rows, columns);
  for (size_t r = 0; r < rows; ++r) {
    double sum = 0, size = 0;
    for (size_t c = 0; c < columns; ++c) {
      const double term = trial_number(narrow, weight, r * columns + c) * trial_number(narrow, x, c);
      sum += term;
      size += fabs(term);
    }
    trial_expect(t, "y", narrow, y, r, sum, F32_ERROR * size);
  }
}

static void all_lengths(trial *t, unsigned options) {
  for (size_t columns = 1; columns <= 130; ++columns) compare(t, options & NARROW, 1 + columns % 9, columns, false);
}

static void special(trial *t, unsigned options) {
  for (size_t columns = 1; columns <= 130; columns += 13) compare(t, options & NARROW, 5, columns, true);
}

const kernel_case matrix_vector_cases[] = {
    {"matrix · vector: f32", all_lengths, 0},
    {"matrix · vector: bf16", all_lengths, NARROW},
    {"matrix · vector: f32, infinities and NaN", special, 0},
    {"matrix · vector: bf16, infinities and NaN", special, NARROW},
    {0},
};
