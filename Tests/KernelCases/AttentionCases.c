// softmax(scale · query · keyᵀ) · value over the keys that each query sees.

#include <math.h>

#include "AttentionInputs.h"

static void expect_query(trial *t, const ckernels_attention *work, unsigned options, attention_place p,
                         double *weights) {
  const attention_view view = weigh(work, options, p, weights);
  // Large scores are equal or far apart; weights may be rounded to bf16 before they multiply values.
  const double error = (options & LARGE ? F32_ERROR : view.error) + (work->narrow ? BF16_ERROR : 0);
  for (size_t i = 0; i < work->width; ++i) {
    double answer = 0, size = 0;
    for (size_t j = 0; j < work->keys; ++j) {
      if (!sees(work, p.query, j)) continue;
      const double term = weights[j] * trial_number(work->narrow, work->value, value_at(work, p, j) + i);
      answer += term;
      size += fabs(term);
    }
    trial_expect(t, "result", work->narrow, work->result, result_at(work, p) + i, answer, error * size);
  }
  if (work->log_sums)
    trial_expect(t, "log_sums", false, work->log_sums, (p.row * work->heads + p.head) * work->queries + p.query,
                 view.log_sum, view.log_sum_error);
}

static void compare(trial *t, unsigned options, attention_shape s, size_t window, size_t gap) {
  ckernels_attention work = attention_work(t, options, s, window, gap, 3e15);
  trial_seal(t);
  work.result = trial_results(t, work.narrow, s.batch * s.queries * s.heads * s.width);
  if (trial_below(t, 2)) work.log_sums = trial_results(t, false, s.batch * s.heads * s.queries);
  run_attention(t, &work);
  double *weights = trial_doubles(t, s.keys);
  for (size_t b = 0; b < s.batch; ++b)
    for (size_t h = 0; h < s.heads; ++h)
      for (size_t i = 0; i < s.queries; ++i) expect_query(t, &work, options, (attention_place){b, h, i}, weights);
}

static void attention(trial *t, unsigned options) {
  const size_t lanes = trial_table(t)->lanes, width = trial_table(t)->width;
  const size_t odd = options & NARROW ? 6 : 5;
  const attention_shape shapes[] = {
      {1, 1, 1, 8, 1, 1},          {2, 4, 2, 20, 1, 70},         {1, 3, 1, 64, 1, 200},
      {2, 2, 2, 8, 7, 7},          {1, 2, 1, odd, width, 65},    {1, 3, 3, 20, width + 1, width + 9},
      {2, 6, 2, 8, lanes, lanes},  {1, 4, 1, 64, lanes + 1, 130}, {1, 1, 1, 80, 20, 129},
      {1, 2, 2, 20, 2 * lanes + 3, 2 * lanes + 3},
  };
  const size_t windows[] = {1, 5, 64, 300, 13};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; ++i)
    for (size_t j = 0; j < (options & WINDOW ? 2 : 1); ++j)
      compare(t, options, shapes[i], options & WINDOW ? windows[(i + 2 * j) % 5] : 0, i % 3 * 2);
  if (options & SEES_ALL) compare(t, options, (attention_shape){2, 2, 1, 8, lanes + 2, 3}, 0, 2);
}

static void large(trial *t, unsigned options) {
  compare(t, options, (attention_shape){1, 2, 1, 8, 9, 9}, 0, 0);
  // The largest score comes in each later block of keys.
  compare(t, options, (attention_shape){1, 1, 1, 16, trial_table(t)->lanes, 150}, 0, 0);
}

static void special(trial *t, unsigned options) {
  compare(t, options, (attention_shape){1, 2, 1, 8, trial_table(t)->width, 70}, 0, 0);
  compare(t, options, (attention_shape){1, 2, 1, 24, trial_table(t)->lanes, 70}, 0, 2);
}

const kernel_case attention_cases[] = {
    {"attention: f32, causal", attention, 0},
    {"attention: f32, all keys", attention, SEES_ALL},
    {"attention: f32, window", attention, WINDOW},
    {"attention: bf16, causal", attention, NARROW},
    {"attention: bf16, all keys", attention, NARROW | SEES_ALL},
    {"attention: bf16, window", attention, NARROW | WINDOW},
    {"attention: f32, large scores", large, LARGE},
    {"attention: bf16, large scores", large, NARROW | LARGE},
    {"attention: f32, NaN stays in its query", special, SPECIAL},
    {"attention: bf16, NaN stays in its query", special, NARROW | SPECIAL},
    {0},
};
