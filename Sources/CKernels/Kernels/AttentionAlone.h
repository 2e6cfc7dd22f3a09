// Attention of a single query in f32, as text generation has it: keys take the lanes for scores, and the head's numbers for
// answers, where a block of queries gives each query a lane. Every sum has the terms and the order that it has there, so
// the answers have the same bits.
#ifndef CKERNELS_ATTENTION_ALONE_H
#define CKERNELS_ATTENTION_ALONE_H

#include "AttentionKeys.h"
#include "Tile.h"

/// A query, and the keys and values of its head.
typedef struct {
  const ckernels_attention *work;
  const float *query, *keys, *values;
  size_t position;
} lone_query;

/// The products of a query with WIDTH keys, of which `count` are there.
INLINE vector products_with_keys(const lone_query *q, const float *keys, size_t count) {
  const size_t width = q->work->width;
  vector products = all(0);
  for (size_t d = 0; d < width; d += WIDTH) {
    const size_t part = width - d;
    vector numbers[WIDTH];
    for (size_t i = 0; i < WIDTH; ++i)
      numbers[i] = load_part(keys + least(i, count - 1) * q->work->key_step + d, part);
    transpose(numbers);
    if (part >= WIDTH) {
#pragma clang loop unroll(full)
      for (size_t i = 0; i < WIDTH; ++i) products = fused(all(q->query[d + i]), numbers[i], products);
    } else {
      for (size_t i = 0; i < part; ++i) products = fused(all(q->query[d + i]), numbers[i], products);
    }
  }
  return products;
}

/// Scores of keys `first` to `first + count - 1`; returns the largest of them and of `largest`.
static float scores_of_keys(const lone_query *q, size_t first, size_t count, float largest, float *scores) {
  vector most = all(largest);
  for (size_t j = 0; j < count; j += WIDTH) {
    const vector products = products_with_keys(q, q->keys + (first + j) * q->work->key_step, count - j);
    const vector score = chosen(low_lanes(count - j), products * q->work->scale, all(-__builtin_inff()));
    store(scores + j, score);
    most = larger(most, score);
  }
  for (int i = 0; i < WIDTH; ++i) largest = most[i] > largest ? most[i] : largest;
  return largest;
}

/// Adds values times shares to up to `vectors` registers of the answer, of which `part` numbers are there.
INLINE void add_values(int vectors, const float *values, size_t step, const float *shares, size_t count, size_t part,
                       float *answer) {
  vector sums[4];
#pragma clang loop unroll(full)
  for (int v = 0; v < vectors; ++v) sums[v] = load_part(answer + v * WIDTH, part - least(part, v * WIDTH));
  for (size_t j = 0; j < count; ++j)
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; ++v) {
      const float *from = values + j * step + v * WIDTH;
      const vector value = part >= (size_t)vectors * WIDTH ? load(from) : load_part(from, part - v * WIDTH);
      sums[v] = fused(all(shares[j]), value, sums[v]);
    }
#pragma clang loop unroll(full)
  for (int v = 0; v < vectors; ++v) store_part(answer + v * WIDTH, part - least(part, v * WIDTH), sums[v]);
}

/// Adds the values of `count` keys times their shares to the answer.
static void add_shares(const lone_query *q, size_t first, size_t count, const float *shares, float *answer) {
  const size_t width = q->work->width, step = q->work->value_step;
  const float *values = q->values + first * step;
  size_t d = 0;
  for (; d + 4 * WIDTH <= width; d += 4 * WIDTH) add_values(4, values + d, step, shares, count, 4 * WIDTH, answer + d);
  for (; d < width; d += WIDTH) add_values(1, values + d, step, shares, count, width - d, answer + d);
}

/// Multiplies the answer so far.
INLINE void shrink_answer(size_t width, float factor, float *answer) {
  for (size_t d = 0; d < width; d += WIDTH)
    store_part(answer + d, width - d, load_part(answer + d, width - d) * factor);
}

/// The answer of a query, and the logarithm of its sum of exponentials if `log_sum` is not NULL; `scores` has room for KEYS
/// numbers, `answer` for those of a head.
static void attend_alone(const lone_query *q, float *scores, float *answer, float *result, float *log_sum) {
  const ckernels_attention *work = q->work;
  const size_t width = work->width, end = work->sees_all ? work->keys : q->position + 1;
  float largest = -__FLT_MAX__, sum = 0;
  for (size_t d = 0; d < width; d += WIDTH) store_part(answer + d, width - d, all(0));
  for (size_t first = first_key(work, q->position), count; first < end; first += count) {
    count = least((first / KEYS + 1) * KEYS, end) - first;
    const float before = largest;
    largest = scores_of_keys(q, first, count, before, scores);
    const float shrink = exponential(all(before - largest))[0];
    sum *= shrink;
    if (before != largest) shrink_answer(width, shrink, answer);
    for (size_t j = 0; j < count; j += WIDTH) store(scores + j, exponential(load(scores + j) - largest));
    for (size_t j = 0; j < count; ++j) sum += scores[j];
    add_shares(q, first, count, scores, answer);
  }
  for (size_t d = 0; d < width; d += WIDTH)
    store_part(result + d, width - d, load_part(answer + d, width - d) / sum);
  if (log_sum) *log_sum = largest + __builtin_logf(sum);
}

#endif
