// Packed weights: products with few and with many rows, rows of numbers, and experts.

#include <math.h>

#include "Activations.h"
#include "Quantized.h"
#include "Routing.h"

/// The product of one row, from the numbers that a weight stands for.
static estimate product_of(const ckernels_quantized *w, size_t output, const double *row, const double *errors,
                           bool few) {
  estimate sum = {0};
  for (size_t k = 0; k < w->inputs; ++k) {
    const double value = quantized_value(w, output, k), term = value * row[k];
    sum.value += term;
    const double size = quantized_size(w, output, k);
    sum.error += fabs(value) * (errors ? errors[k] : 0);
    if (few)
      sum.error += fabs(value) * rounding_error(w, row, k) + F32_ERROR * size * (fabs(row[k]) + rounding_error(w, row, k));
    else
      sum.error += (2.02 * BF16_ERROR + F32_ERROR) * fabs(term);  // of both factors
  }
  sum.error = sum.error * (1 + 1e-6) + 1e-30;
  return sum;
}

static const double *row_of(trial *t, const float *x, size_t count) {
  double *row = trial_doubles(t, count);
  for (size_t k = 0; k < count; ++k) row[k] = (double)x[k];
  return row;
}

static void run_few(trial *t, ckernels_quantized_linear *work) {
  const ckernels_table *table = trial_table(t);
  const size_t form = table->quantized_form(&work->weight);
  const size_t bytes = table->quantized_form_bytes(work->weight.inputs, form);
  void *forms = trial_scratch(t, work->rows * bytes);
  const ckernels_rounding rounding = {.inputs = work->weight.inputs, .form = form, .x = work->x, .result = forms};
  table->quantized_prepare(&rounding, work->rows / 2, work->rows);
  table->quantized_prepare(&rounding, 0, work->rows / 2);
  work->forms = forms;
  const size_t middle = work->outputs / 3;
  table->quantized_dots(work, middle, work->outputs);
  trial_expect_unwritten(t, "result", false, work->result, 0, middle);
  table->quantized_dots(work, 0, middle);
  for (size_t r = 0; r < work->rows; ++r) {
    ckernels_quantized_linear alone = *work;
    alone.rows = 1;
    alone.forms = (const char *)forms + r * bytes;
    alone.result = trial_results(t, false, work->outputs);
    table->quantized_dots(&alone, 0, work->outputs);
    if (memcmp(alone.result, work->result + r * work->outputs, work->outputs * sizeof(float)))
      trial_fail(t, "row %zu differs from the same row alone", r);
  }
}

static void run_many(trial *t, ckernels_quantized_linear *work) {
  const ckernels_table *table = trial_table(t);
  const size_t parts = trial_rounded_up(work->rows, table->width) / table->width;
  work->packed = trial_results(t, false, table->quantized_linear_count(work));
  for (size_t part = parts; part-- > 0;) table->quantized_linear_pack(work, part, part + 1);
  void *scratch = trial_scratch(t, table->quantized_linear_scratch(work));
  const size_t ranges = trial_rounded_up(work->outputs, table->width) / table->width, middle = ranges / 2;
  table->quantized_linear_outputs(work, middle, ranges, scratch);
  table->quantized_linear_outputs(work, 0, middle, scratch);
}

enum { MANY = 1 };

static void compare(trial *t, unsigned options, size_t choice, size_t rows, size_t inputs, size_t outputs) {
  trial_begin(t, "choice %zu, %zu rows, %zu inputs, %zu outputs", choice, rows, inputs, outputs);
  const ckernels_quantized w = quantized_weight(t, choice, outputs, inputs);
  float *x = trial_numbers(t, false, rows * inputs);
  // An outlier and a tiny block, whose neighbours keep their precision, and a row with a NaN.
  x[inputs / 2] = 3e5f;
  for (size_t k = 0; k < trial_least(32, inputs); ++k) x[(rows - 1) * inputs + k] *= 1e-8f;
  if (rows > 2) x[inputs + inputs - 1] = choice % 3 ? NAN : INFINITY;
  ckernels_quantized_linear work = {.weight = w, .rows = rows, .outputs = outputs, .x = x};
  if (choice % 4 < 2) work.bias = trial_numbers(t, false, outputs);
  trial_seal(t);
  work.result = trial_results(t, false, rows * outputs);
  if (options & MANY)
    run_many(t, &work);
  else
    run_few(t, &work);
  for (size_t r = 0; r < rows; ++r) {
    const double *row = row_of(t, x + r * inputs, inputs);
    for (size_t n = 0; n < outputs; ++n) {
      estimate e = product_of(&w, n, row, NULL, !(options & MANY));
      if (rows > 2 && r == 1) {
        // Not finite, whichever infinity or NaN it is.
        if (isfinite(work.result[r * outputs + n])) trial_fail(t, "row 1 lost its NaN at %zu", n);
        continue;
      }
      if (work.bias) e.value += (double)work.bias[n];
      trial_expect(t, "result", false, work.result, r * outputs + n, e.value, e.error + F32_ERROR * fabs(e.value));
    }
  }
}

static void linear(trial *t, unsigned options) {
  static const size_t inputs[] = {64, 96, 32, 576, 128, 256, 100, 1056, 33, 320};
  const size_t width = trial_table(t)->width, lanes = trial_table(t)->lanes;
  for (size_t choice = 0; choice < QUANTIZED_CHOICES; ++choice) {
    const size_t rows = options & MANY ? (size_t[]){1, width + 3, lanes + 1, 2}[choice % 4] : 1 + choice % 9;
    compare(t, options, choice, rows, inputs[(choice + choice / 6) % 10], 1 + choice % (2 * width + 3));
  }
}

static void rows(trial *t, unsigned options) {
  (void)options;
  static const size_t inputs[] = {64, 96, 32, 576, 100, 33};
  for (size_t choice = 0; choice < QUANTIZED_CHOICES; ++choice) {
    const size_t count = inputs[(choice + choice / 6) % 6], outputs = 5;
    trial_begin(t, "choice %zu, %zu inputs", choice, count);
    const ckernels_quantized w = quantized_weight(t, choice, outputs, count);
    trial_seal(t);
    float *result = trial_results(t, false, 3 * count);
    trial_table(t)->quantized_rows(&w, 2, 5, result);
    for (size_t r = 0; r < 3; ++r)
      for (size_t k = 0; k < count; ++k) {
        const double value = quantized_value(&w, 2 + r, k);
        trial_expect(t, "result", false, result, r * count + k, value, 1e-6 * (fabs(value) + 64));
      }
  }
}

/// Rounds random rows, and expects the nearest of the values that a group has, within its range.
static void compare_rounding(trial *t, int bits, int shift, ckernels_scale type, ckernels_kind kind, bool narrow,
                             size_t inputs) {
  const size_t outputs = 3;
  trial_begin(t, "%d bits, groups of %d, scales %d, kind %d, narrow %d, %zu inputs", bits, 1 << shift, type, kind,
              narrow, inputs);
  void *weight = trial_numbers(t, narrow, outputs * inputs);
  for (size_t k = 0; k < trial_least(inputs, 32); ++k) trial_set(narrow, weight, k, 0);
  ckernels_packing work = {.kind = kind, .bits = bits, .group_shift = shift, .scale_type = type, .narrow = narrow,
                           .inputs = inputs, .row_bytes = (inputs * (size_t)bits + 31) / 32 * 4, .weight = weight};
  work.row_groups = (inputs + ((size_t)1 << shift) - 1) >> shift;
  trial_seal(t);
  const size_t size = type == CKERNELS_SCALE_F32 ? 4 : 2, scales = outputs * work.row_groups;
  work.codes = trial_scratch(t, outputs * work.row_bytes);
  work.scales = trial_scratch(t, scales * size);
  if (kind == CKERNELS_AFFINE) work.biases = trial_scratch(t, scales * size);
  trial_table(t)->quantized_round(&work, 1, outputs);
  trial_table(t)->quantized_round(&work, 0, 1);
  const ckernels_quantized w = {.kind = kind, .bits = bits, .group_shift = shift, .scale_type = type, .inputs = inputs,
                                .row_bytes = work.row_bytes, .row_groups = work.row_groups, .codes = work.codes,
                                .scales = work.scales, .biases = work.biases};
  const double slack = type == CKERNELS_SCALE_F32 ? 1e-6 : 1.0 / 128;
  for (size_t r = 0; r < outputs; ++r)
    for (size_t k = 0; k < inputs; ++k) {
      const double value = trial_number(narrow, weight, r * inputs + k), found = quantized_value(&w, r, k);
      // Half a step of the whole range of -1 to 1; a symmetric code misses the upper end by up to a step.
      const double range = kind == CKERNELS_AFFINE ? 2 : 2 * (1 + slack), steps = (1 << bits) - (kind == CKERNELS_AFFINE);
      if (fabs(found - value) > range / steps * (kind == CKERNELS_AFFINE ? .5 : 1) + slack)
        trial_fail(t, "weight[%zu][%zu] is %g, which became %g", r, k, value, found);
      if (r == 0 && k < trial_least(inputs, 32) && inputs == 32 && found != 0) trial_fail(t, "zeros became %g", found);
    }
}

static void rounding(trial *t, unsigned options) {
  static const int widths[] = {2, 3, 4, 5, 6, 8};
  static const size_t inputs[] = {64, 96, 32, 576, 100, 33, 128};
  for (size_t i = 0; i < 6 * 3 * 3 * 2; ++i)
    compare_rounding(t, widths[i % 6], 5 + (int)(i / 6 % 3), (ckernels_scale)(i / 18 % 3),
                     i / 54 ? CKERNELS_SYMMETRIC : CKERNELS_AFFINE, options & NARROW, inputs[i % 7]);
}

// Experts -----------------------------------------------------------------------------------------

typedef struct {
  ckernels_quantized gate[EXPERTS], up[EXPERTS], down[EXPERTS];
} packed_experts;

static size_t least_form_bytes(const ckernels_table *table, size_t inputs) {
  size_t bytes = 0;
  for (size_t form = 0; form < CKERNELS_FORMS; ++form) {
    const size_t needed = table->quantized_form_bytes(inputs, form);
    bytes = needed > bytes ? needed : bytes;
  }
  return bytes;
}

/// Pieces of uneven size, in random order.
static size_t cut(trial *t, const routing *r, size_t outputs, ckernels_piece *pieces) {
  size_t count = 0;
  for (size_t b = 0; b < r->blocks; ++b)
    for (size_t n = 0; n < outputs;) {
      const size_t part = trial_least(outputs - n, 16 * (1 + trial_below(t, 3)));
      pieces[count++] = (ckernels_piece){b, n, part};
      n += part;
    }
  for (size_t i = count; i-- > 1;) {
    const size_t other = trial_below(t, i + 1);
    const ckernels_piece piece = pieces[i];
    pieces[i] = pieces[other];
    pieces[other] = piece;
  }
  return count;
}

static void run_few_experts(trial *t, ckernels_quantized_experts *work, const routing *r) {
  const ckernels_table *table = trial_table(t);
  for (size_t form = 0; form < CKERNELS_FORMS; ++form) {
    bool is_read = false;
    for (size_t e = 0; e < EXPERTS; ++e)
      is_read |= table->quantized_form(work->up + e) == form || (work->gate && table->quantized_form(work->gate + e) == form);
    if (!is_read) continue;
    void *to = trial_scratch(t, r->tokens * table->quantized_form_bytes(work->hidden, form));
    const ckernels_rounding rounding = {.inputs = work->hidden, .form = form, .x = work->x, .result = to};
    table->quantized_prepare(&rounding, 0, r->tokens);
    work->forms[form] = to;
  }
  work->inner_values = trial_results(t, false, r->assignments * work->inner);
  work->inner_form_bytes = least_form_bytes(table, work->inner);
  work->inner_forms = trial_scratch(t, r->assignments * work->inner_form_bytes);
  const size_t most = work->inner > work->hidden ? work->inner : work->hidden;
  ckernels_piece pieces[r->blocks * (most / 16 + 1)];
  work->pieces = pieces;
  table->quantized_experts_inner(work, 0, cut(t, r, work->inner, pieces));
  for (size_t b = r->blocks; b-- > 0;) table->quantized_experts_prepare(work, b, b + 1);
  const size_t count = cut(t, r, work->hidden, pieces);
  for (size_t p = 0; p < count; ++p) table->quantized_experts_answers(work, p, p + 1);
}

/// An inner value from its products; SiLU's slope is at most 1.1.
static estimate activated_value(const ckernels_quantized_experts *work, estimate gate, estimate up, bool few) {
  const estimate inner = work->gate ? gate : up;
  const double size = inner.value / (1 + exp(-inner.value)), error = 1.1 * inner.error + 1e-6 * fabs(size);
  estimate e = {size, error};
  if (work->gate) e = (estimate){size * up.value, error * (fabs(up.value) + up.error) + fabs(size) * up.error};
  if (!few) e.error += BF16_ERROR * (fabs(e.value) + e.error);
  e.error += F32_ERROR * fabs(e.value);
  return e;
}

static void expect_answers(trial *t, const ckernels_quantized_experts *work, const routing *r, bool few) {
  double *inner = trial_doubles(t, work->inner), *errors = trial_doubles(t, work->inner);
  for (size_t a = 0; a < r->assignments; ++a) {
    const size_t e = expert_of(r, a);
    const double *row = row_of(t, work->x + (size_t)r->rows[a] * work->hidden, work->hidden);
    for (size_t n = 0; n < work->inner; ++n) {
      const estimate none = {0}, gate = work->gate ? product_of(work->gate + e, n, row, NULL, few) : none;
      const estimate value = activated_value(work, gate, product_of(work->up + e, n, row, NULL, few), few);
      inner[n] = value.value;
      errors[n] = value.error;
    }
    // The rounded numbers differ by what they were rounded from.
    double worst = 0;
    for (size_t n = 0; n < work->inner; ++n) worst = fmax(worst, errors[n]);
    for (size_t n = 0; n < work->inner && few; ++n) errors[n] += worst / 64;
    for (size_t k = 0; k < work->hidden; ++k) {
      const estimate answer = product_of(work->down + e, k, inner, errors, few);
      trial_expect(t, "answers", false, work->answers, a * work->hidden + k, answer.value, answer.error);
    }
  }
}

static void compare_experts(trial *t, unsigned options, size_t choice, size_t hidden, size_t inner) {
  trial_begin(t, "experts from choice %zu, hidden %zu, inner %zu", choice, hidden, inner);
  const routing r = routed(t);
  packed_experts p;
  for (size_t e = 0; e < EXPERTS; ++e) {
    // Every projection of every expert is packed in another way.
    p.gate[e] = quantized_weight(t, (choice + 7 * e) % QUANTIZED_CHOICES, inner, hidden);
    p.up[e] = quantized_weight(t, (choice + 11 * e + 50) % QUANTIZED_CHOICES, inner, hidden);
    p.down[e] = quantized_weight(t, (choice + 13 * e + 101) % QUANTIZED_CHOICES, hidden, inner);
  }
  float *x = trial_numbers(t, false, r.tokens * hidden);
  for (size_t i = 0; i < r.tokens * hidden; ++i) x[i] /= 64;
  ckernels_quantized_experts work = {.activation = CKERNELS_SILU, .hidden = hidden, .inner = inner, .up = p.up,
                                     .down = p.down, .x = x, .rows = r.rows, .blocks = r.block};
  if (options & GATE) work.gate = p.gate;
  trial_seal(t);
  work.answers = trial_results(t, false, r.assignments * hidden);
  if (options & MANY) {
    void *scratch = trial_scratch(t, trial_table(t)->quantized_experts_scratch(&work));
    const size_t middle = r.blocks / 2;
    trial_table(t)->quantized_experts_blocks(&work, middle, r.blocks, scratch);
    trial_table(t)->quantized_experts_blocks(&work, 0, middle, scratch);
  } else {
    run_few_experts(t, &work, &r);
  }
  expect_answers(t, &work, &r, !(options & MANY));
}

static void experts(trial *t, unsigned options) {
  compare_experts(t, options, 0, 64, 96);
  compare_experts(t, options, 31, 96, 32);
  compare_experts(t, options, 77, 33, 40);
}

const kernel_case quantized_cases[] = {
    {"packed weights: few rows", linear, 0},
    {"packed weights: many rows", linear, MANY},
    {"packed weights: rows of numbers", rows, 0},
    {"packed weights: rounding of f32", rounding, 0},
    {"packed weights: rounding of bf16", rounding, NARROW},
    {"packed experts: few rows", experts, 0},
    {"packed experts: few rows, gate", experts, GATE},
    {"packed experts: many rows", experts, MANY},
    {"packed experts: many rows, gate", experts, MANY | GATE},
    {0},
};
