// Row-wise functions, each fused into one pass over memory.

#include "../Vectors/Vector.h"
#include "CKernels.h"

static void rms_norm(const ckernels_norm *work, size_t first, size_t last) {
  const size_t width = work->width;
  for (size_t row = first; row < last; ++row) {
    vector squares = all(0);
    for (size_t i = 0; i < width; i += WIDTH) {
      vector x = numbers(work->narrow, work->x, row * width + i, width - i);
      squares = fused(x, x, squares);
    }
    float mean = sum_of(squares) / (float)width;
    float factor = 1 / __builtin_sqrtf(mean + work->epsilon);
    for (size_t i = 0; i < width; i += WIDTH) {
      vector x = numbers(work->narrow, work->x, row * width + i, width - i);
      vector weight = numbers(work->narrow, work->weight, i, width - i);
      store_numbers(work->narrow, work->result, row * width + i, width - i, x * factor * weight);
    }
  }
}

/// x̂ = x · f with f = 1 / √(mean(x²) + ε), y = x̂ · w:  ∂x = f · (w · ∂y − x̂ · mean(w · ∂y · x̂)),
/// ∂w = Σ ∂y · x̂ over the rows.
static void rms_norm_row_backward(const ckernels_norm_backward *work, size_t row, float *weight_gradient) {
  const ckernels_norm *f = work->forward;
  const size_t width = f->width, start = row * width;
  vector squares = all(0), along = all(0);
  for (size_t i = 0; i < width; i += WIDTH) {
    const size_t count = width - i;
    vector x = numbers(f->narrow, f->x, start + i, count);
    vector change = numbers(f->narrow, work->gradient, start + i, count) * numbers(f->narrow, f->weight, i, count);
    squares = fused(x, x, squares);
    along = fused(x, change, along);
  }
  const float factor = 1 / __builtin_sqrtf(sum_of(squares) / (float)width + f->epsilon);
  const float slope = sum_of(along) * factor * factor / (float)width;
  for (size_t i = 0; i < width; i += WIDTH) {
    const size_t count = width - i;
    vector x = numbers(f->narrow, f->x, start + i, count);
    vector gradient = numbers(f->narrow, work->gradient, start + i, count);
    vector change = gradient * numbers(f->narrow, f->weight, i, count);
    store_numbers(f->narrow, work->x_gradient, start + i, count, fused(-x, all(slope), change) * factor);
    store_part(weight_gradient + i, count, fused(gradient, x * factor, load_part(weight_gradient + i, count)));
  }
}

static void rms_norm_backward(const ckernels_norm_backward *work, size_t first, size_t last) {
  const size_t width = work->forward->width;
  for (size_t block = first; block < last; ++block) {
    float *sums = work->weight_gradients + block * width;
    __builtin_memset(sums, 0, width * sizeof(float));
    size_t end = (block + 1) * work->block < work->rows ? (block + 1) * work->block : work->rows;
    for (size_t row = block * work->block; row < end; ++row) rms_norm_row_backward(work, row, sums);
  }
}

static void rotate(const ckernels_rotation *work, size_t first, size_t last) {
  const size_t half = work->width / 2;
  for (size_t row = first; row < last; ++row) {
    const size_t angle = row % work->positions * half;
    for (size_t head = 0; head < work->heads; ++head) {
      const size_t at = (row * work->heads + head) * work->width;
      for (size_t i = 0; i < half; i += WIDTH) {
        const size_t count = half - i;
        vector a = numbers(work->narrow, work->x, at + i, count);
        vector b = numbers(work->narrow, work->x, at + half + i, count);
        vector cosine = load_part(work->cosine + angle + i, count), sine = load_part(work->sine + angle + i, count);
        store_numbers(work->narrow, work->result, at + i, count, fused(a, cosine, -(b * sine)));
        store_numbers(work->narrow, work->result, at + half + i, count, fused(b, cosine, a * sine));
      }
    }
  }
}
