// Normalization by the root mean square, and rotary position embedding.

#include <math.h>

#include "Trial.h"

enum { ROWS = 7 };

static void norm(trial *t, bool narrow, size_t width) {
  trial_begin(t, "width %zu", width);
  void *x = trial_numbers(t, narrow, ROWS * width);
  // Rows of other sizes, one of zeros, and one with a NaN.
  for (size_t i = 0; i < width; ++i) {
    trial_set(narrow, x, i, 1e3 * trial_random(t));
    trial_set(narrow, x, width + i, 0);
    trial_set(narrow, x, 2 * width + i, 1e-3 * trial_random(t));
  }
  trial_set(narrow, x, 4 * width + width / 2, NAN);
  ckernels_norm work = {.narrow = narrow, .width = width, .epsilon = 1e-5f, .x = x};
  work.weight = trial_numbers(t, narrow, width);
  trial_seal(t);
  work.result = trial_results(t, narrow, ROWS * width);
  trial_table(t)->rms_norm(&work, 2, 5);
  trial_expect_unwritten(t, "result", narrow, work.result, 0, 2 * width);
  trial_expect_unwritten(t, "result", narrow, work.result, 5 * width, ROWS * width);
  trial_table(t)->rms_norm(&work, 5, ROWS);
  trial_table(t)->rms_norm(&work, 0, 2);
  for (size_t r = 0; r < ROWS; ++r) {
    double squares = 0;
    for (size_t i = 0; i < width; ++i) squares += pow(trial_number(narrow, x, r * width + i), 2);
    const double factor = 1 / sqrt(squares / (double)width + work.epsilon);
    for (size_t i = 0; i < width; ++i) {
      const double expected = trial_number(narrow, x, r * width + i) * factor * trial_number(narrow, work.weight, i);
      trial_expect(t, "result", narrow, work.result, r * width + i, expected, F32_ERROR * fabs(expected));
    }
  }
}

static void rms_norm(trial *t, unsigned options) {
  const size_t widths[] = {1, 3, 4, 7, 8, 15, 16, 17, 31, 33, 64, 100, 130};
  for (size_t i = 0; i < sizeof widths / sizeof *widths; ++i) norm(t, options & NARROW, widths[i]);
}

/// One half of a rotated head: x · cosine plus or minus the other half · sine.
static void expect_half(trial *t, const ckernels_rotation *work, size_t at, size_t other, size_t angle, double sign) {
  const double a = trial_number(work->narrow, work->x, at) * work->cosine[angle];
  const double b = trial_number(work->narrow, work->x, other) * work->sine[angle] * sign;
  trial_expect(t, "result", work->narrow, work->result, at, a + b, F32_ERROR * (fabs(a) + fabs(b)));
}

static void rotation(trial *t, bool narrow, size_t heads, size_t width, size_t positions) {
  trial_begin(t, "%zu heads of %zu, %zu positions", heads, width, positions);
  const size_t half = width / 2;
  void *x = trial_numbers(t, narrow, ROWS * heads * width);
  ckernels_rotation work = {.narrow = narrow, .heads = heads, .width = width, .positions = positions, .x = x};
  trial_set(narrow, x, 3 * heads * width, NAN);
  work.cosine = trial_numbers(t, false, positions * half);
  work.sine = trial_numbers(t, false, positions * half);
  trial_seal(t);
  work.result = trial_results(t, narrow, ROWS * heads * width);
  trial_table(t)->rotate(&work, 1, 6);
  trial_expect_unwritten(t, "result", narrow, work.result, 0, heads * width);
  trial_expect_unwritten(t, "result", narrow, work.result, 6 * heads * width, ROWS * heads * width);
  trial_table(t)->rotate(&work, 0, 1);
  trial_table(t)->rotate(&work, 6, ROWS);
  for (size_t r = 0; r < ROWS; ++r)
    for (size_t h = 0; h < heads; ++h)
      for (size_t i = 0; i < half; ++i) {
        const size_t first = (r * heads + h) * width + i, angle = r % positions * half + i;
        expect_half(t, &work, first, first + half, angle, -1);
        expect_half(t, &work, first + half, first, angle, 1);
      }
}

static void rotate(trial *t, unsigned options) {
  const size_t widths[] = {2, 6, 8, 16, 20, 30, 34, 64, 66, 80, 128};
  for (size_t i = 0; i < sizeof widths / sizeof *widths; ++i)
    rotation(t, options & NARROW, 1 + i % 3, widths[i], i % 2 ? ROWS : 3);
}

const kernel_case row_cases[] = {
    {"normalized rows: f32", rms_norm, 0},
    {"normalized rows: bf16", rms_norm, NARROW},
    {"rotated halves: f32", rotate, 0},
    {"rotated halves: bf16", rotate, NARROW},
    {0},
};
