// Modulated rows and gated sums of diffusion transformers, and their gradients.

#include <math.h>

#include "Trial.h"

enum { IMAGES = 3 };

/// Sums of many terms of both signs, and rows that were normalized before.
static const double error = 2 * F32_ERROR;

typedef struct {
  double mean, factor;
} statistics;

static statistics statistics_of(const ckernels_modulation *work, size_t row) {
  double mean = 0, variance = 0;
  for (size_t i = 0; i < work->width; ++i) mean += work->x[row * work->width + i];
  mean /= (double)work->width;
  for (size_t i = 0; i < work->width; ++i) variance += pow(work->x[row * work->width + i] - mean, 2);
  return (statistics){mean, 1 / sqrt(variance / (double)work->width + work->epsilon)};
}

static void expect_modulated(trial *t, const ckernels_modulation *work) {
  const size_t width = work->width;
  for (size_t row = 0; row < IMAGES * work->tokens; ++row) {
    const statistics s = statistics_of(work, row);
    trial_expect(t, "means", false, work->means, row, s.mean, F32_ERROR * 2);
    trial_expect(t, "factors", false, work->factors, row, s.factor, error * s.factor);
    for (size_t i = 0; i < width; ++i) {
      const size_t at = row / work->tokens * width + i;
      const double x = work->x[row * width + i], norm = (x - s.mean) * s.factor, slope = 1.0 + work->scale[at];
      const double size = (fabs(x) + fabs(s.mean)) * s.factor * fabs(slope) + fabs((double)work->shift[at]);
      trial_expect(t, "result", false, work->result, row * width + i, norm * slope + work->shift[at], error * size);
    }
  }
}

/// Expects the gradient of one row of x, and adds the row to the gradients of shift and scale, which
/// come first in `sums`, and to their sizes, which follow.
static void expect_row_gradient(trial *t, const ckernels_modulation_backward *work, size_t row, double *const sums[4]) {
  const ckernels_modulation *f = work->forward;
  const size_t width = f->width;
  const statistics s = statistics_of(f, row);
  const float *x = f->x + row * width, *gradient = work->gradient + row * width;
  const float *scale = f->scale + row / f->tokens * width;
  double mean = 0, along = 0, sizes = 0;
  for (size_t i = 0; i < width; ++i) {
    const double norm = (x[i] - s.mean) * s.factor, inner = gradient[i] * (1.0 + scale[i]);
    mean += inner / (double)width;
    along += inner * norm / (double)width;
    sizes += fabs(inner) * (1 + fabs(norm)) / (double)width;
    sums[0][i] += gradient[i];
    sums[1][i] += gradient[i] * norm;
    sums[2][i] += fabs((double)gradient[i]);
    sums[3][i] += fabs((double)gradient[i]) * (fabs((double)x[i]) + fabs(s.mean)) * s.factor;
  }
  for (size_t i = 0; i < width; ++i) {
    const double norm = (x[i] - s.mean) * s.factor, inner = gradient[i] * (1.0 + scale[i]);
    const double size = s.factor * (fabs(inner) + sizes * (1 + fabs(norm)));
    trial_expect(t, "x_gradient", false, work->x_gradient, row * width + i, s.factor * (inner - mean - norm * along),
                 error * size);
  }
}

static void expect_modulation_gradients(trial *t, const ckernels_modulation_backward *work) {
  const ckernels_modulation *f = work->forward;
  const size_t width = f->width;
  for (size_t image = 0; image < IMAGES; ++image) {
    double *sums[4];
    for (size_t i = 0; i < 4; ++i) sums[i] = trial_doubles(t, width);
    for (size_t row = image * f->tokens; row < (image + 1) * f->tokens; ++row) expect_row_gradient(t, work, row, sums);
    for (size_t i = 0; i < width; ++i) {
      trial_expect(t, "shift_gradient", false, work->shift_gradient, image * width + i, sums[0][i], error * sums[2][i]);
      trial_expect(t, "scale_gradient", false, work->scale_gradient, image * width + i, sums[1][i], error * sums[3][i]);
    }
  }
}

static void modulation_of(trial *t, size_t width, size_t tokens) {
  trial_begin(t, "width %zu, %zu tokens", width, tokens);
  const size_t rows = IMAGES * tokens;
  float *x = trial_numbers(t, false, rows * width);
  for (size_t i = 0; i < width; ++i) x[i] += 1;
  ckernels_modulation work = {.width = width, .tokens = tokens, .epsilon = 1e-3f, .x = x};
  work.shift = trial_numbers(t, false, IMAGES * width);
  work.scale = trial_numbers(t, false, IMAGES * width);
  ckernels_modulation_backward backward = {.forward = &work, .gradient = trial_numbers(t, false, rows * width)};
  trial_seal(t);
  work.result = trial_results(t, false, rows * width);
  work.means = trial_results(t, false, rows);
  work.factors = trial_results(t, false, rows);
  // The first part ends inside an image.
  trial_table(t)->modulate(&work, 1, tokens + 1);
  trial_expect_unwritten(t, "result", false, work.result, 0, width);
  trial_expect_unwritten(t, "result", false, work.result, (tokens + 1) * width, rows * width);
  trial_table(t)->modulate(&work, 0, 1);
  trial_table(t)->modulate(&work, tokens + 1, rows);
  expect_modulated(t, &work);
  backward.x_gradient = trial_results(t, false, rows * width);
  backward.shift_gradient = trial_results(t, false, IMAGES * width);
  backward.scale_gradient = trial_results(t, false, IMAGES * width);
  trial_table(t)->modulate_backward(&backward, 1, 2);
  trial_expect_unwritten(t, "x_gradient", false, backward.x_gradient, 0, tokens * width);
  trial_expect_unwritten(t, "x_gradient", false, backward.x_gradient, 2 * tokens * width, rows * width);
  trial_table(t)->modulate_backward(&backward, 0, 1);
  trial_table(t)->modulate_backward(&backward, 2, IMAGES);
  expect_modulation_gradients(t, &backward);
}

static void gated_sum_of(trial *t, size_t width, size_t tokens) {
  trial_begin(t, "width %zu, %zu tokens", width, tokens);
  const size_t rows = IMAGES * tokens;
  ckernels_gated_sum work = {.width = width, .tokens = tokens};
  work.x = trial_numbers(t, false, rows * width);
  float *y = trial_numbers(t, false, rows * width);
  y[rows / 2 * width + width / 2] = NAN;
  work.y = y;
  work.gate = trial_numbers(t, false, IMAGES * width);
  ckernels_gated_sum_backward backward = {.forward = &work, .gradient = trial_numbers(t, false, rows * width)};
  trial_seal(t);
  work.result = trial_results(t, false, rows * width);
  trial_table(t)->add_gated(&work, 1, tokens + 1);
  trial_expect_unwritten(t, "result", false, work.result, 0, width);
  trial_expect_unwritten(t, "result", false, work.result, (tokens + 1) * width, rows * width);
  trial_table(t)->add_gated(&work, 0, 1);
  trial_table(t)->add_gated(&work, tokens + 1, rows);
  backward.y_gradient = trial_results(t, false, rows * width);
  backward.gate_gradient = trial_results(t, false, IMAGES * width);
  trial_table(t)->add_gated_backward(&backward, 1, IMAGES);
  trial_expect_unwritten(t, "gate_gradient", false, backward.gate_gradient, 0, width);
  trial_expect_unwritten(t, "y_gradient", false, backward.y_gradient, 0, tokens * width);
  trial_table(t)->add_gated_backward(&backward, 0, 1);
  double *sums = trial_doubles(t, IMAGES * width), *sizes = trial_doubles(t, IMAGES * width);
  for (size_t i = 0; i < rows * width; ++i) {
    const size_t at = i / width / tokens * width + i % width;
    const double x = work.x[i], gated = (double)work.gate[at] * work.y[i], d = backward.gradient[i];
    trial_expect(t, "result", false, work.result, i, x + gated, F32_ERROR * (fabs(x) + fabs(gated)));
    trial_expect(t, "y_gradient", false, backward.y_gradient, i, d * work.gate[at], F32_ERROR * fabs(d));
    sums[at] += d * work.y[i];
    sizes[at] += fabs(d * work.y[i]);
  }
  for (size_t i = 0; i < IMAGES * width; ++i)
    trial_expect(t, "gate_gradient", false, backward.gate_gradient, i, sums[i], error * sizes[i]);
}

static const size_t widths[] = {1, 3, 8, 15, 16, 17, 33, 64, 100};

static void modulation(trial *t, unsigned options) {
  (void)options;
  for (size_t i = 0; i < sizeof widths / sizeof *widths; ++i) modulation_of(t, widths[i], 2 + i % 3 * 3);
}

static void gated_sum(trial *t, unsigned options) {
  (void)options;
  for (size_t i = 0; i < sizeof widths / sizeof *widths; ++i) gated_sum_of(t, widths[i], 2 + i % 3 * 3);
}

const kernel_case modulation_cases[] = {
    {"modulation and its gradients", modulation, 0},
    {"gated sums and their gradients", gated_sum, 0},
    {0},
};
