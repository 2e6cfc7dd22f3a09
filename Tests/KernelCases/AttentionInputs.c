#include "AttentionInputs.h"

#include <float.h>
#include <math.h>

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

bool sees(const ckernels_attention *work, size_t query, size_t key) {
  const size_t position = work->keys - work->queries + query;
  return work->sees_all || (key <= position && (work->window == 0 || position - key < work->window));
}

/// Makes scores products of one term, or hides a key that no query sees.
static void change_key(const ckernels_attention *work, unsigned options, void *keys, void *values, attention_place p,
                       size_t key) {
  bool seen = false;
  for (size_t q = 0; q < work->queries; ++q) seen |= sees(work, q, key);
  for (size_t i = 0; i < work->width; ++i) {
    // Each query's weights belong to the keys with the largest number.
    if (options & LARGE) trial_set(work->narrow, keys, key_at(work, p, key) + i, i == 0 ? (double)(key * 7 % 23) : 0);
    if (seen) continue;
    trial_set(work->narrow, keys, key_at(work, p, key) + i, NAN);
    trial_set(work->narrow, values, value_at(work, p, key) + i, NAN);
  }
}

ckernels_attention attention_work(trial *t, unsigned options, attention_shape s, size_t window, size_t gap,
                                  double query_size) {
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
  void *query = strided(t, narrow, s.batch, s.heads, s.queries, s.width, q, options & LARGE ? query_size : 3);
  void *key = strided(t, narrow, s.batch, s.key_heads, s.keys, s.width, k, 2);
  void *value = strided(t, narrow, s.batch, s.key_heads, s.keys, s.width, v, 1);
  if (options & SPECIAL) trial_set(narrow, query, s.queries / 2 * q.step, NAN);
  work.query = query, work.key = key, work.value = value;
  for (size_t b = 0; b < s.batch; ++b)
    for (size_t h = 0; h < s.heads; ++h)
      for (size_t j = 0; j < s.keys; ++j) change_key(&work, options, key, value, (attention_place){b, h, 0}, j);
  return work;
}

size_t result_at(const ckernels_attention *work, attention_place p) {
  return ((p.row * work->queries + p.query) * work->heads + p.head) * work->width;
}

size_t query_at(const ckernels_attention *work, attention_place p) {
  return p.row * work->query_batch + p.head * work->query_head + p.query * work->query_step;
}

static size_t key_head(const ckernels_attention *work, attention_place p) {
  return p.head / (work->heads / work->key_heads);
}

size_t key_at(const ckernels_attention *work, attention_place p, size_t key) {
  return p.row * work->key_batch + key_head(work, p) * work->key_head + key * work->key_step;
}

size_t value_at(const ckernels_attention *work, attention_place p, size_t key) {
  return p.row * work->value_batch + key_head(work, p) * work->value_head + key * work->value_step;
}

attention_view weigh(const ckernels_attention *work, unsigned options, attention_place p, double *weights) {
  double largest = -INFINITY, size = 0, sum = 0;
  for (size_t j = 0; j < work->keys; ++j) {
    weights[j] = 0;
    if (!sees(work, p.query, j)) continue;
    double score = 0, terms = 0;
    for (size_t i = 0; i < work->width; ++i) {
      const double term = trial_number(work->narrow, work->query, query_at(work, p) + i) *
                          trial_number(work->narrow, work->key, key_at(work, p, j) + i);
      score += term;
      terms += fabs(term);
    }
    weights[j] = score * work->scale;
    largest = fmax(largest, weights[j]);
    size = fmax(size, terms * work->scale);
  }
  for (size_t j = 0; j < work->keys; ++j)
    if (sees(work, p.query, j)) sum += weights[j] = exp(weights[j] - largest);
  for (size_t j = 0; j < work->keys; ++j) weights[j] /= sum;
  attention_view view = {.log_sum = largest + log(sum)};
  // Relative to the scores' sizes; exponentials magnify what F32_ERROR would allow. A large score is
  // one term.
  const double score_error = size * (options & LARGE ? 4 : 32) * FLT_EPSILON;
  view.error = 2 * score_error + F32_ERROR;
  view.log_sum_error = score_error + F32_ERROR + fabs(view.log_sum) * FLT_EPSILON;
  return view;
}

void run_attention(trial *t, const ckernels_attention *work) {
  const ckernels_table *table = trial_table(t);
  const size_t blocks = table->attention_blocks(work);
  void *scratch = trial_scratch(t, table->attention_scratch(work));
  if (blocks == 0) trial_fail(t, "attention_blocks is 0");
  if (trial_below(t, 2)) return table->attention_run(work, 0, blocks, scratch);
  const size_t *order = trial_order(t, blocks);
  table->attention_run(work, 0, 0, scratch);
  for (size_t i = 0; i < blocks; ++i) table->attention_run(work, order[i], order[i] + 1, scratch);
}
