// softmax(scale · query · keyᵀ) · value over the keys that each query sees.

#include <float.h>
#include <math.h>

#include "Trial.h"

enum { SEES_ALL = 2, WINDOW = 4, LARGE = 8, SPECIAL = 16 };

typedef struct {
  size_t batch, heads, key_heads, width, queries, keys;
} shape;

/// Strides of rows, heads and positions.
typedef struct {
  size_t batch, head, step;
} strides;

/// Positions before heads, as layers store them, or heads before positions; `gap` elements between
/// rows belong to nobody.
static strides laid_out(size_t heads, size_t positions, size_t width, size_t gap, bool heads_first) {
  const size_t row = width + gap;
  if (heads_first) return (strides){heads * positions * row + gap, positions * row, row};
  return (strides){heads * positions * row + gap, row, heads * row};
}

/// Random rows whose gaps are NaN and whose memory ends with the last row.
static void *strided(trial *t, bool narrow, size_t batch, size_t heads, size_t positions, size_t width, strides s,
                     double size) {
  const size_t count = (batch - 1) * s.batch + (heads - 1) * s.head + (positions - 1) * s.step + width;
  void *numbers = trial_numbers(t, narrow, count);
  for (size_t i = 0; i < count; ++i) trial_set(narrow, numbers, i, NAN);
  for (size_t b = 0; b < batch; ++b)
    for (size_t h = 0; h < heads; ++h)
      for (size_t p = 0; p < positions; ++p)
        for (size_t i = 0; i < width; ++i)
          trial_set(narrow, numbers, b * s.batch + h * s.head + p * s.step + i, size * trial_random(t));
  return numbers;
}

/// Whether a query sees a key.
static bool sees(const ckernels_attention *work, size_t query, size_t key) {
  const size_t position = work->keys - work->queries + query;
  return work->sees_all || (key <= position && (work->window == 0 || position - key < work->window));
}

/// The exponentials of one query's scores less the largest; returns the largest error of a score.
static double weigh(const ckernels_attention *work, size_t query_at, size_t key_at, size_t query, double *weights) {
  double largest = -INFINITY, error = 0;
  for (size_t j = 0; j < work->keys; ++j) {
    double score = 0, size = 0;
    for (size_t i = 0; i < work->width; ++i) {
      const double term = trial_number(work->narrow, work->query, query_at + i) *
                          trial_number(work->narrow, work->key, key_at + j * work->key_step + i);
      score += term;
      size += fabs(term);
    }
    weights[j] = score * work->scale;
    if (!sees(work, query, j)) continue;
    largest = fmax(largest, weights[j]);
    error = fmax(error, size * work->scale);
  }
  for (size_t j = 0; j < work->keys; ++j) weights[j] = sees(work, query, j) ? exp(weights[j] - largest) : 0;
  // Relative to the scores' sizes; exponentials magnify what F32_ERROR would allow.
  return error * 32 * FLT_EPSILON;
}

static void expect_query(trial *t, const ckernels_attention *work, unsigned options, size_t b, size_t h, size_t q,
                         double *weights) {
  const size_t key_head = h / (work->heads / work->key_heads);
  const size_t query_at = b * work->query_batch + h * work->query_head + q * work->query_step;
  const size_t value_at = b * work->value_batch + key_head * work->value_head;
  double score_error = weigh(work, query_at, b * work->key_batch + key_head * work->key_head, q, weights);
  // Large scores are products of one term, and equal or far apart.
  if (options & LARGE) score_error = 0;
  double sum = 0;
  for (size_t j = 0; j < work->keys; ++j) sum += weights[j];
  // Weights may be rounded to bf16 before they multiply values.
  const double weight_error = 2 * score_error + (work->narrow ? BF16_ERROR : 0) + F32_ERROR;
  for (size_t i = 0; i < work->width; ++i) {
    double answer = 0, size = 0;
    for (size_t j = 0; j < work->keys; ++j) {
      if (!sees(work, q, j)) continue;
      const double term = weights[j] / sum * trial_number(work->narrow, work->value, value_at + j * work->value_step + i);
      answer += term;
      size += fabs(term);
    }
    const size_t at = ((b * work->queries + q) * work->heads + h) * work->width + i;
    trial_expect(t, "result", work->narrow, work->result, at, answer, weight_error * size);
  }
}

/// Computes all pieces at once, or one by one in random order.
static void run(trial *t, const ckernels_attention *work) {
  const ckernels_table *table = trial_table(t);
  const size_t blocks = table->attention_blocks(work);
  void *scratch = trial_scratch(t, table->attention_scratch(work));
  if (blocks == 0) trial_fail(t, "attention_blocks is 0");
  if (trial_below(t, 2)) return table->attention_run(work, 0, blocks, scratch);
  const size_t *order = trial_order(t, blocks);
  table->attention_run(work, 0, 0, scratch);
  for (size_t i = 0; i < blocks; ++i) table->attention_run(work, order[i], order[i] + 1, scratch);
}

static void compare(trial *t, unsigned options, shape s, size_t window, size_t gap) {
  const bool narrow = options & NARROW;
  trial_begin(t, "batch %zu, %zu heads, %zu key heads of %zu, %zu queries, %zu keys, window %zu, gap %zu", s.batch,
              s.heads, s.key_heads, s.width, s.queries, s.keys, window, gap);
  const strides q = laid_out(s.heads, s.queries, s.width, gap, gap > 2);
  const strides k = laid_out(s.key_heads, s.keys, s.width, gap, gap == 0);
  const strides v = laid_out(s.key_heads, s.keys, s.width, gap, gap > 0);
  ckernels_attention work = {.sees_all = options & SEES_ALL, .narrow = narrow, .window = window};
  work.batch = s.batch, work.heads = s.heads, work.key_heads = s.key_heads, work.width = s.width;
  work.queries = s.queries, work.keys = s.keys, work.scale = (float)(1 / sqrt((double)s.width));
  work.query_batch = q.batch, work.query_head = q.head, work.query_step = q.step;
  work.key_batch = k.batch, work.key_head = k.head, work.key_step = k.step;
  work.value_batch = v.batch, work.value_head = v.head, work.value_step = v.step;
  void *query = strided(t, narrow, s.batch, s.heads, s.queries, s.width, q, options & LARGE ? 3e15 : 3);
  if (options & SPECIAL) trial_set(narrow, query, s.queries / 2 * q.step, NAN);
  work.query = query;
  void *key = strided(t, narrow, s.batch, s.key_heads, s.keys, s.width, k, 2);
  if (options & LARGE)
    // Scores far beyond the range of exponentials: each query's weights belong to the keys with the largest one.
    for (size_t b = 0; b < s.batch; ++b)
      for (size_t h = 0; h < s.key_heads; ++h)
        for (size_t j = 0; j < s.keys; ++j)
          for (size_t i = 0; i < s.width; ++i)
            trial_set(narrow, key, b * k.batch + h * k.head + j * k.step + i, i == 0 ? (double)(j * 7 % 23) : 0);
  work.key = key;
  work.value = strided(t, narrow, s.batch, s.key_heads, s.keys, s.width, v, 1);
  trial_seal(t);
  work.result = trial_results(t, narrow, s.batch * s.queries * s.heads * s.width);
  run(t, &work);
  double *weights = trial_doubles(t, s.keys);
  for (size_t b = 0; b < s.batch; ++b)
    for (size_t h = 0; h < s.heads; ++h)
      for (size_t i = 0; i < s.queries; ++i) expect_query(t, &work, options, b, h, i, weights);
}

static void attention(trial *t, unsigned options) {
  const size_t lanes = trial_table(t)->lanes, width = trial_table(t)->width;
  const size_t odd = options & NARROW ? 6 : 5;
  const shape shapes[] = {
      {1, 1, 1, 8, 1, 1},          {2, 4, 2, 20, 1, 70},         {1, 3, 1, 64, 1, 200},
      {2, 2, 2, 8, 7, 7},          {1, 2, 1, odd, width, 65},    {1, 3, 3, 20, width + 1, width + 9},
      {2, 6, 2, 8, lanes, lanes},  {1, 4, 1, 64, lanes + 1, 130}, {1, 1, 1, 80, 20, 129},
      {1, 2, 2, 20, 2 * lanes + 3, 2 * lanes + 3},
  };
  const size_t windows[] = {1, 5, 64, 300, 13};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; ++i)
    for (size_t j = 0; j < (options & WINDOW ? 2 : 1); ++j)
      compare(t, options, shapes[i], options & WINDOW ? windows[(i + 2 * j) % 5] : 0, i % 3 * 2);
  if (options & SEES_ALL) compare(t, options, (shape){2, 2, 1, 8, lanes + 2, 3}, 0, 2);
}

static void large(trial *t, unsigned options) {
  compare(t, options, (shape){1, 2, 1, 8, 9, 9}, 0, 0);
  // The largest score comes in each later block of keys.
  compare(t, options, (shape){1, 1, 1, 16, trial_table(t)->lanes, 150}, 0, 0);
}

static void special(trial *t, unsigned options) {
  compare(t, options, (shape){1, 2, 1, 8, trial_table(t)->width, 70}, 0, 0);
  compare(t, options, (shape){1, 2, 1, 24, trial_table(t)->lanes, 70}, 0, 2);
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
