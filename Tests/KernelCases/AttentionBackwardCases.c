// Gradients of attention: P = softmax(scale · Q Kᵀ) over the keys that each query sees, O = P V,
// ∂V = Pᵀ ∂O,  ∂S = scale · P ⊙ (∂O Vᵀ − rowsum(∂O ⊙ O)),  ∂Q = ∂S K,  ∂K = ∂Sᵀ Q.

#include <float.h>
#include <math.h>

#include "AttentionInputs.h"

/// Gradients of a tensor, and how far off a kernel's may be.
typedef struct {
  double *value, *error;
} gradients;

static gradients zeros(trial *t, size_t count) { return (gradients){trial_doubles(t, count), trial_doubles(t, count)}; }

/// to[at] += a · b, where `a` may be off by `error`.
static void add(gradients to, size_t at, double a, double error, double b) {
  to.value[at] += a * b;
  to.error[at] += (error + F32_ERROR * fabs(a)) * fabs(b);
}

typedef struct {
  const ckernels_attention_backward *work;
  gradients query, key, value;
} reference;

/// ∂O · V of one query and key, and the sum of its terms' magnitudes.
typedef struct {
  double along, size;
} sums;

static double element(const ckernels_attention *f, const void *from, size_t at) {
  return trial_number(f->narrow, from, at);
}

static sums with_value(const reference *r, attention_place p, size_t key) {
  const ckernels_attention *f = r->work->forward;
  sums s = {0};
  for (size_t i = 0; i < f->width; ++i) {
    const double term =
        element(f, r->work->gradient, result_at(f, p) + i) * element(f, f->value, value_at(f, p, key) + i);
    s.along += term;
    s.size += fabs(term);
  }
  return s;
}

/// Adds one query's part of all gradients.
static void add_query(reference *r, unsigned options, attention_place p, double *weights) {
  const ckernels_attention *f = r->work->forward;
  const attention_view view = weigh(f, options, p, weights);
  const size_t key_head = p.head / (f->heads / f->key_heads);
  // A kernel's result is rounded, and in bf16 so are the weights that it is made of.
  const double result_error = view.error + (f->narrow ? 2 * BF16_ERROR : 0);
  double offset = 0, offset_error = 0;
  for (size_t j = 0; j < f->keys; ++j) {
    if (!sees(f, p.query, j)) continue;
    const sums s = with_value(r, p, j);
    offset += weights[j] * s.along;
    offset_error += weights[j] * s.size * (result_error + F32_ERROR);
  }
  for (size_t j = 0; j < f->keys; ++j) {
    if (!sees(f, p.query, j)) continue;
    const sums s = with_value(r, p, j);
    const double weight = weights[j], change = weight * (s.along - offset) * f->scale;
    // A weight below the normal range may count as 0.
    const double weight_error = view.error * weight + FLT_MIN;
    const double change_error =
        f->scale * (weight_error * fabs(s.along - offset) + weight * (F32_ERROR * s.size + offset_error));
    const size_t key = ((p.row * f->keys + j) * f->key_heads + key_head) * f->width;
    for (size_t i = 0; i < f->width; ++i) {
      add(r->value, key + i, weight, weight_error, element(f, r->work->gradient, result_at(f, p) + i));
      add(r->key, key + i, change, change_error, element(f, f->query, query_at(f, p) + i));
      add(r->query, result_at(f, p) + i, change, change_error, element(f, f->key, key_at(f, p, j) + i));
    }
  }
}

static void expect_all(trial *t, const reference *r, unsigned options) {
  const ckernels_attention *f = r->work->forward;
  const size_t queries = f->batch * f->queries * f->heads * f->width;
  const size_t keys = f->batch * f->keys * f->key_heads * f->width;
  for (size_t i = 0; i < queries; ++i)
    trial_expect(t, "query_gradient", f->narrow, r->work->query_gradient, i, r->query.value[i], r->query.error[i]);
  for (size_t i = 0; i < keys; ++i) {
    // A query that is NaN may reach all keys of its head.
    if (options & SPECIAL && i / f->width % f->key_heads == 0) continue;
    trial_expect(t, "key_gradient", f->narrow, r->work->key_gradient, i, r->key.value[i], r->key.error[i]);
    trial_expect(t, "value_gradient", f->narrow, r->work->value_gradient, i, r->value.value[i], r->value.error[i]);
  }
}

/// Computes all key heads in random order, in the same scratch memory.
static void run(trial *t, const ckernels_attention_backward *work) {
  const size_t count = work->forward->batch * work->forward->key_heads;
  void *scratch = trial_scratch(t, trial_table(t)->attention_backward_scratch(work));
  const size_t *order = trial_order(t, count);
  for (size_t i = 0; i < count; ++i) trial_table(t)->attention_backward_of(work, order[i], scratch);
}

static void compare(trial *t, unsigned options, attention_shape s, size_t window, size_t gap) {
  ckernels_attention forward = attention_work(t, options, s, window, gap, 300);
  const size_t queries = s.batch * s.queries * s.heads * s.width, keys = s.batch * s.keys * s.key_heads * s.width;
  ckernels_attention_backward work = {.forward = &forward, .gradient = trial_numbers(t, forward.narrow, queries)};
  trial_seal(t);
  forward.result = trial_results(t, forward.narrow, queries);
  forward.log_sums = trial_results(t, false, s.batch * s.heads * s.queries);
  run_attention(t, &forward);
  work.query_gradient = trial_results(t, forward.narrow, queries);
  work.key_gradient = trial_results(t, forward.narrow, keys);
  work.value_gradient = trial_results(t, forward.narrow, keys);
  run(t, &work);
  reference r = {.work = &work, .query = zeros(t, queries), .key = zeros(t, keys), .value = zeros(t, keys)};
  double *weights = trial_doubles(t, s.keys);
  for (size_t b = 0; b < s.batch; ++b)
    for (size_t h = 0; h < s.heads; ++h)
      for (size_t i = 0; i < s.queries; ++i) add_query(&r, options, (attention_place){b, h, i}, weights);
  expect_all(t, &r, options);
}

static void backward(trial *t, unsigned options) {
  const size_t lanes = trial_table(t)->lanes, width = trial_table(t)->width;
  const size_t odd = options & NARROW ? 6 : 5;
  const attention_shape shapes[] = {
      {1, 1, 1, 8, 1, 1},         {2, 4, 2, 20, 1, 70},       {1, 3, 1, 64, 1, 140},
      {2, 2, 2, 8, 7, 7},         {1, 2, 1, odd, width, 65},  {1, 3, 3, 20, width + 1, width + 9},
      {2, 6, 2, 8, lanes, lanes}, {1, 4, 1, 64, lanes + 1, 130}, {1, 1, 1, 80, 20, 129},
      {1, 2, 2, 20, 2 * lanes + 3, 2 * lanes + 3},
  };
  const size_t windows[] = {1, 5, 64, 300, 13};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; ++i)
    for (size_t j = 0; j < (options & WINDOW ? 2 : 1); ++j)
      compare(t, options, shapes[i], options & WINDOW ? windows[(i + 2 * j) % 5] : 0, i % 3 * 2);
  if (options & SEES_ALL) compare(t, options, (attention_shape){2, 2, 1, 8, lanes + 2, 3}, 0, 2);
}

static void large(trial *t, unsigned options) {
  // At most 23 keys, so that no two of a query's largest scores are equal.
  compare(t, options, (attention_shape){1, 2, 1, 8, 9, 9}, 0, 0);
  compare(t, options, (attention_shape){2, 2, 2, 20, 23, 23}, 0, 2);
}

static void special(trial *t, unsigned options) {
  compare(t, options, (attention_shape){1, 4, 2, 8, trial_table(t)->width, 70}, 0, 0);
  compare(t, options, (attention_shape){1, 2, 1, 24, trial_table(t)->lanes, 70}, 0, 2);
}

const kernel_case attention_backward_cases[] = {
    {"attention's gradients: f32, causal", backward, 0},
    {"attention's gradients: f32, all keys", backward, SEES_ALL},
    {"attention's gradients: f32, window", backward, WINDOW},
    {"attention's gradients: bf16, causal", backward, NARROW},
    {"attention's gradients: bf16, all keys", backward, NARROW | SEES_ALL},
    {"attention's gradients: bf16, window", backward, NARROW | WINDOW},
    {"attention's gradients: f32, large scores", large, LARGE},
    {"attention's gradients: bf16, large scores", large, NARROW | LARGE},
    {"attention's gradients: f32, NaN stays in its query", special, SPECIAL},
    {"attention's gradients: bf16, NaN stays in its query", special, NARROW | SPECIAL},
    {0},
};
