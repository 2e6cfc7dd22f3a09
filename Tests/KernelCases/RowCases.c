// Normalization by the root mean square and its gradients, and rotary position embedding.

#include <math.h>

#include "Trial.h"

enum { ROWS = 7 };

/// Rows of other sizes, one of zeros, and one with a NaN.
static void *uneven_rows(trial *t, bool narrow, size_t width) {
  void *x = trial_numbers(t, narrow, ROWS * width);
  for (size_t i = 0; i < width; ++i) {
    trial_set(narrow, x, i, 1e3 * trial_random(t));
    trial_set(narrow, x, width + i, 0);
    trial_set(narrow, x, 2 * width + i, 1e-3 * trial_random(t));
  }
  trial_set(narrow, x, 3 * width + width / 2, NAN);
  return x;
}

static void norm(trial *t, bool narrow, size_t width) {
  trial_begin(t, "width %zu", width);
  void *x = uneven_rows(t, narrow, width);
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

/// x̂ = x / √(mean(x²) + ε), y = x̂ · w: ∂x = (w · ∂y − x̂ · mean(w · ∂y · x̂)) / √(…), and ∂w = Σ ∂y · x̂
/// over a block's rows, which is added to `sums`, and the sizes of its terms to `sizes`.
static void expect_norm_gradient(trial *t, const ckernels_norm_backward *work, size_t row, double *sums,
                                 double *sizes) {
  const ckernels_norm *f = work->forward;
  const size_t width = f->width, at = row * width;
  double squares = 0, along = 0, size = 0;
  for (size_t i = 0; i < width; ++i) squares += pow(trial_number(f->narrow, f->x, at + i), 2);
  const double factor = 1 / sqrt(squares / (double)width + f->epsilon);
  for (size_t i = 0; i < width; ++i) {
    const double gradient = trial_number(f->narrow, work->gradient, at + i);
    const double unit = trial_number(f->narrow, f->x, at + i) * factor;
    const double term = gradient * trial_number(f->narrow, f->weight, i) * unit / (double)width;
    along += term;
    size += fabs(term);
    sums[i] += gradient * unit;
    sizes[i] += fabs(gradient * unit);
  }
  for (size_t i = 0; i < width; ++i) {
    const double change = trial_number(f->narrow, work->gradient, at + i) * trial_number(f->narrow, f->weight, i);
    const double unit = trial_number(f->narrow, f->x, at + i) * factor;
    trial_expect(t, "x_gradient", f->narrow, work->x_gradient, at + i, (change - unit * along) * factor,
                 F32_ERROR * (fabs(change) + fabs(unit) * size) * factor);
  }
}

static void norm_gradient(trial *t, bool narrow, size_t width) {
  enum { BLOCK = 2, BLOCKS = 4 };
  trial_begin(t, "width %zu", width);
  ckernels_norm forward = {.narrow = narrow, .width = width, .epsilon = 1e-5f, .x = uneven_rows(t, narrow, width)};
  forward.weight = trial_numbers(t, narrow, width);
  ckernels_norm_backward work = {.forward = &forward, .rows = ROWS, .block = BLOCK};
  work.gradient = trial_numbers(t, narrow, ROWS * width);
  trial_seal(t);
  work.x_gradient = trial_results(t, narrow, ROWS * width);
  work.weight_gradients = trial_results(t, false, BLOCKS * width);
  trial_table(t)->rms_norm_backward(&work, 1, 3);
  trial_expect_unwritten(t, "x_gradient", narrow, work.x_gradient, 0, BLOCK * width);
  trial_expect_unwritten(t, "x_gradient", narrow, work.x_gradient, 3 * BLOCK * width, ROWS * width);
  trial_expect_unwritten(t, "weight_gradients", false, work.weight_gradients, 0, width);
  trial_expect_unwritten(t, "weight_gradients", false, work.weight_gradients, 3 * width, BLOCKS * width);
  trial_table(t)->rms_norm_backward(&work, 3, BLOCKS);
  trial_table(t)->rms_norm_backward(&work, 0, 1);
  double *sums = trial_doubles(t, BLOCKS * width), *sizes = trial_doubles(t, BLOCKS * width);
  for (size_t row = 0; row < ROWS; ++row) {
    const size_t block = row / BLOCK;
    expect_norm_gradient(t, &work, row, sums + block * width, sizes + block * width);
  }
  for (size_t i = 0; i < BLOCKS * width; ++i)
    trial_expect(t, "weight_gradients", false, work.weight_gradients, i, sums[i], F32_ERROR * sizes[i]);
}

static const size_t norm_widths[] = {1, 3, 4, 7, 8, 15, 16, 17, 31, 33, 64, 100, 130};

static void rms_norm(trial *t, unsigned options) {
  for (size_t i = 0; i < sizeof norm_widths / sizeof *norm_widths; ++i) norm(t, options & NARROW, norm_widths[i]);
}

static void rms_norm_gradient(trial *t, unsigned options) {
  for (size_t i = 0; i < sizeof norm_widths / sizeof *norm_widths; ++i)
    norm_gradient(t, options & NARROW, norm_widths[i]);
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
    {"normalized rows' gradients: f32", rms_norm_gradient, 0},
    {"normalized rows' gradients: bf16", rms_norm_gradient, NARROW},
    {"rotated halves: f32", rotate, 0},
    {"rotated halves: bf16", rotate, NARROW},
    {0},
};
