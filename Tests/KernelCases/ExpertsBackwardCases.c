// Gradients of feed-forward experts: the chain rule, assignment by assignment.
//
// Every gradient has an error beside it, found by the same rule: that of a product is the sum of
// each factor's error times the other factor.

#include <math.h>
#include <string.h>

#include "Activations.h"
#include "Routing.h"

/// Gradients as a reference computes them, and their errors, in one list each.
typedef struct {
  double *value, *error;
} gradients;

static gradients zeros(trial *t, size_t count) { return (gradients){trial_doubles(t, count), trial_doubles(t, count)}; }

/// to[at] += a · b.
static void add_product(gradients to, size_t at, estimate a, estimate b) {
  const double product = a.value * b.value;
  to.value[at] += product;
  to.error[at] += fabs(a.value) * b.error + a.error * fabs(b.value) + F32_ERROR * fabs(product);
}

static estimate product(estimate a, estimate b) {
  const double value = a.value * b.value;
  return (estimate){value, fabs(a.value) * b.error + a.error * fabs(b.value) + F32_ERROR * fabs(value)};
}

static estimate exactly(double value) { return (estimate){value, 0}; }

static estimate element(bool narrow, const void *from, size_t at) { return exactly(trial_number(narrow, from, at)); }

static estimate sum_of(gradients from, size_t at) { return (estimate){from.value[at], from.error[at]}; }

/// What the reference computes for one backward pass.
typedef struct {
  const ckernels_experts_backward *work;
  const routing *routing;
  gradients gate[EXPERTS], up[EXPERTS], down[EXPERTS], up_bias[EXPERTS], down_bias[EXPERTS];
  gradients weights, rows;
} reference;

/// The gradient of element k of the output of an assignment's token.
static estimate output_gradient(const reference *r, size_t a, size_t k) {
  const ckernels_experts *f = r->work->forward;
  return element(f->narrow, r->work->gradient, (size_t)r->routing->rows[a] * f->hidden + k);
}

/// Adds one assignment's inner value n to all gradients.
static void add_inner_value(reference *r, size_t a, size_t n, estimate change) {
  const ckernels_experts *f = r->work->forward;
  const size_t e = expert_of(r->routing, a), token = (size_t)r->routing->rows[a], hidden = f->hidden;
  const estimate weight = element(false, r->work->weights, a);
  const inner_products p = products_of(f, e, token, n);
  const estimate z = f->gate ? p.gate : p.up;
  const estimate activation = {activation_value(f->activation, z.value),
                               STEEPEST * z.error + F32_ERROR * fabs(activation_value(f->activation, z.value))};
  const estimate slope = {activation_slope(f->activation, z.value), STEEPEST * z.error + F32_ERROR};
  const estimate h = f->gate ? product(activation, p.up) : activation;
  const estimate weighted = product(change, weight);
  const estimate gate = product(product(weighted, p.up), slope);
  const estimate up = product(weighted, f->gate ? activation : slope);
  add_product(r->weights, a, h, change);
  if (f->up_bias) add_product(r->up_bias[e], n, up, exactly(1));
  for (size_t k = 0; k < hidden; ++k) {
    const estimate x = element(f->narrow, f->x, token * hidden + k);
    if (f->gate) add_product(r->gate[e], n * hidden + k, gate, x);
    if (f->gate) add_product(r->rows, a * hidden + k, gate, element(f->narrow, f->gate[e], n * hidden + k));
    add_product(r->up[e], n * hidden + k, up, x);
    add_product(r->rows, a * hidden + k, up, element(f->narrow, f->up[e], n * hidden + k));
    const estimate output = product(output_gradient(r, a, k), weight);
    add_product(r->down[e], k * f->inner + n, output, h);
  }
}

static void add_assignment(trial *t, reference *r, size_t a) {
  const ckernels_experts *f = r->work->forward;
  const size_t e = expert_of(r->routing, a), hidden = f->hidden;
  const gradients inner = zeros(t, f->inner);
  for (size_t n = 0; n < f->inner; ++n) {
    for (size_t k = 0; k < hidden; ++k)
      add_product(inner, n, element(f->narrow, f->down[e], k * f->inner + n), output_gradient(r, a, k));
    add_inner_value(r, a, n, sum_of(inner, n));
  }
  for (size_t k = 0; k < hidden && f->down_bias; ++k) {
    add_product(r->weights, a, element(f->narrow, f->down_bias[e], k), output_gradient(r, a, k));
    add_product(r->down_bias[e], k, output_gradient(r, a, k), element(false, r->work->weights, a));
  }
}

static reference computed(trial *t, const ckernels_experts_backward *work, const routing *routing) {
  const size_t hidden = work->forward->hidden, inner = work->forward->inner;
  reference r = {.work = work, .routing = routing};
  for (size_t e = 0; e < EXPERTS; ++e) {
    r.gate[e] = zeros(t, inner * hidden);
    r.up[e] = zeros(t, inner * hidden);
    r.down[e] = zeros(t, inner * hidden);
    r.up_bias[e] = zeros(t, inner);
    r.down_bias[e] = zeros(t, hidden);
  }
  r.weights = zeros(t, routing->assignments);
  r.rows = zeros(t, routing->assignments * hidden);
  for (size_t a = 0; a < routing->assignments; ++a) add_assignment(t, &r, a);
  return r;
}

static void expect_all(trial *t, const char *what, const float *found, size_t count, gradients expected) {
  for (size_t i = 0; i < count; ++i) trial_expect(t, what, false, found, i, expected.value[i], expected.error[i]);
}

/// Lists of results: one per expert with rows.
typedef struct {
  float *gate[EXPERTS], *up[EXPERTS], *down[EXPERTS], *up_bias[EXPERTS], *down_bias[EXPERTS];
} results;

static void make_results(trial *t, const routing *r, ckernels_experts_backward *work, results *lists) {
  const ckernels_experts *f = work->forward;
  for (size_t e = 0; e < EXPERTS; ++e) {
    if (r->starts[e] == r->starts[e + 1]) continue;
    lists->gate[e] = trial_results(t, false, f->inner * f->hidden);
    lists->up[e] = trial_results(t, false, f->inner * f->hidden);
    lists->down[e] = trial_results(t, false, f->inner * f->hidden);
    lists->up_bias[e] = trial_results(t, false, f->inner);
    lists->down_bias[e] = trial_results(t, false, f->hidden);
  }
  if (f->gate) work->gate = lists->gate;
  work->up = lists->up;
  work->down = lists->down;
  if (f->up_bias) work->up_bias = lists->up_bias;
  if (f->down_bias) work->down_bias = lists->down_bias;
  work->weight_gradients = trial_results(t, false, r->assignments);
  work->row_gradients = trial_results(t, false, r->assignments * f->hidden);
}

static void expect_gradients(trial *t, const routing *routing, const ckernels_experts_backward *work) {
  const size_t hidden = work->forward->hidden, inner = work->forward->inner;
  const reference r = computed(t, work, routing);
  expect_all(t, "weight_gradients", work->weight_gradients, routing->assignments, r.weights);
  expect_all(t, "row_gradients", work->row_gradients, routing->assignments * hidden, r.rows);
  for (size_t e = 0; e < EXPERTS; ++e) {
    if (!work->up[e]) continue;
    if (work->gate) expect_all(t, "gate", work->gate[e], inner * hidden, r.gate[e]);
    expect_all(t, "up", work->up[e], inner * hidden, r.up[e]);
    expect_all(t, "down", work->down[e], inner * hidden, r.down[e]);
    if (work->up_bias) expect_all(t, "up_bias", work->up_bias[e], inner, r.up_bias[e]);
    if (work->down_bias) expect_all(t, "down_bias", work->down_bias[e], hidden, r.down_bias[e]);
  }
}

static void compare(trial *t, unsigned options, size_t hidden, size_t inner) {
  trial_begin(t, "hidden %zu, inner %zu", hidden, inner);
  const routing r = routed(t);
  expert_weights weights = {0};
  ckernels_experts forward = experts_work(t, options, &r, hidden, inner, &weights);
  const bool narrow = options & NARROW;
  void *x = trial_numbers(t, narrow, r.tokens * hidden), *gradient = trial_numbers(t, narrow, r.tokens * hidden);
  // One token has values for which activations reach their limits; nobody asks for the last one.
  for (size_t k = 0; k < hidden; ++k) {
    const size_t large = (size_t)r.rows[0] * hidden + k, last = (r.tokens - 1) * hidden + k;
    trial_set(narrow, x, large, 512 * trial_number(narrow, x, large));
    trial_set(narrow, x, last, NAN);
    trial_set(narrow, gradient, last, NAN);
  }
  forward.x = x;
  ckernels_experts_backward work = {.forward = &forward, .gradient = gradient};
  work.weights = trial_numbers(t, false, r.assignments);
  work.starts = r.starts;
  trial_seal(t);
  forward.answers = trial_results(t, false, r.assignments * hidden);
  forward.up_values = trial_results(t, false, r.lanes * inner);
  if (forward.gate) forward.gate_values = trial_results(t, false, r.lanes * inner);
  void *scratch = trial_scratch(t, trial_table(t)->experts_scratch(&forward));
  trial_table(t)->experts_blocks(&forward, 0, r.blocks, scratch);
  results lists = {0};
  make_results(t, &r, &work, &lists);
  scratch = trial_scratch(t, trial_table(t)->experts_backward_scratch(&work));
  const size_t *order = trial_order(t, EXPERTS);
  for (size_t i = 0; i < EXPERTS; ++i)
    if (work.up[order[i]]) trial_table(t)->experts_backward_of(&work, order[i], scratch);
  expect_gradients(t, &r, &work);
}

static void backward(trial *t, unsigned options) {
  const size_t width = trial_table(t)->width;
  compare(t, options, width, width);
  compare(t, options, 2 * width, width);
  compare(t, options, width, 2 * width);
  // More columns than one product has lanes.
  compare(t, options, trial_table(t)->lanes + width, width);
  // More numbers of bf16 than are widened at once.
  if (options & NARROW) compare(t, options, 256 + width, width);
  if (options & NARROW) compare(t, options, width, 256 + width);
}

#define ACTIVATIONS(name, options)                                                              \
  {"experts' gradients: " name "SiLU", backward, (options) | CKERNELS_SILU << ACTIVATION_SHIFT},    \
      {"experts' gradients: " name "ReLU", backward, (options) | CKERNELS_RELU << ACTIVATION_SHIFT}, \
  {                                                                                             \
    "experts' gradients: " name "GELU", backward, (options) | CKERNELS_GELU_TANH << ACTIVATION_SHIFT \
  }

const kernel_case experts_backward_cases[] = {
    ACTIVATIONS("f32, gate, ", GATE),
    ACTIVATIONS("f32, ", 0),
    ACTIVATIONS("f32, biases, ", BIAS),
    ACTIVATIONS("bf16, gate, ", NARROW | GATE),
    ACTIVATIONS("bf16, ", NARROW),
    ACTIVATIONS("bf16, biases, ", NARROW | BIAS),
    {0},
};
