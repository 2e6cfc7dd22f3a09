// Weighted sums of experts' answers.

#include <math.h>

#include "Trial.h"

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
