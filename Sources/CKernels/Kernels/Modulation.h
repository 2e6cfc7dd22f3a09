// Element-wise steps around the layers of a diffusion transformer, each fused into one pass over
// memory, and their backward passes.

#include "../Vectors/Vector.h"
#include "CKernels.h"

static void modulate(const ckernels_modulation *work, size_t first, size_t last) {
  const size_t width = work->width;
  for (size_t row = first; row < last; ++row) {
    const float *x = work->x + row * width;
    const float *shift = work->shift + row / work->tokens * width, *scale = work->scale + row / work->tokens * width;
    vector sum = all(0), squares = all(0);
    for (size_t i = 0; i < width; i += WIDTH) sum += load_part(x + i, width - i);
    const float mean = sum_of(sum) / (float)width;
    for (size_t i = 0; i < width; i += WIDTH) {
      vector centred = load_part(x + i, width - i) - mean;
      // Lanes behind the row's end do not count.
      if (width - i < WIDTH) centred = chosen(low_lanes(width - i), centred, all(0));
      squares = fused(centred, centred, squares);
    }
    const float factor = 1 / __builtin_sqrtf(sum_of(squares) / (float)width + work->epsilon);
    work->means[row] = mean;
    work->factors[row] = factor;
    for (size_t i = 0; i < width; i += WIDTH) {
      const size_t count = width - i;
      vector norm = (load_part(x + i, count) - mean) * factor;
      store_part(work->result + row * width + i, count,
                 fused(norm, 1 + load_part(scale + i, count), load_part(shift + i, count)));
    }
  }
}

static void modulate_row_backward(const ckernels_modulation_backward *work, size_t row, float *shift, float *scale) {
  const ckernels_modulation *f = work->forward;
  const size_t width = f->width;
  const float *x = f->x + row * width, *gradient = work->gradient + row * width;
  const float *factor_of = f->scale + row / f->tokens * width;
  const float mean = f->means[row], factor = f->factors[row];
  vector sum = all(0), along = all(0);
  for (size_t i = 0; i < width; i += WIDTH) {
    const size_t count = width - i;
    vector d = load_part(gradient + i, count);
    vector norm = (load_part(x + i, count) - mean) * factor;
    vector inner = d * (1 + load_part(factor_of + i, count));
    store_part(shift + i, count, load_part(shift + i, count) + d);
    store_part(scale + i, count, fused(d, norm, load_part(scale + i, count)));
    sum += inner;
    along = fused(inner, norm, along);
  }
  const float means = sum_of(sum) / (float)width, slope = sum_of(along) / (float)width;
  for (size_t i = 0; i < width; i += WIDTH) {
    const size_t count = width - i;
    vector norm = (load_part(x + i, count) - mean) * factor;
    vector inner = load_part(gradient + i, count) * (1 + load_part(factor_of + i, count));
    vector rest = fused(-norm, all(slope), inner - means);
    store_part(work->x_gradient + row * width + i, count, rest * factor);
  }
}

static void modulate_backward(const ckernels_modulation_backward *work, size_t first, size_t last) {
  const size_t width = work->forward->width, tokens = work->forward->tokens;
  for (size_t image = first; image < last; ++image) {
    float *shift = work->shift_gradient + image * width, *scale = work->scale_gradient + image * width;
    __builtin_memset(shift, 0, width * sizeof(float));
    __builtin_memset(scale, 0, width * sizeof(float));
    for (size_t row = image * tokens; row < (image + 1) * tokens; ++row) modulate_row_backward(work, row, shift, scale);
  }
}

static void add_gated(const ckernels_gated_sum *work, size_t first, size_t last) {
  const size_t width = work->width;
  for (size_t row = first; row < last; ++row) {
    const float *gate = work->gate + row / work->tokens * width;
    for (size_t i = 0; i < width; i += WIDTH) {
      const size_t at = row * width + i, count = width - i;
      store_part(work->result + at, count,
                 fused(load_part(gate + i, count), load_part(work->y + at, count), load_part(work->x + at, count)));
    }
  }
}

static void add_gated_backward(const ckernels_gated_sum_backward *work, size_t first, size_t last) {
  const ckernels_gated_sum *f = work->forward;
  const size_t width = f->width;
  for (size_t image = first; image < last; ++image) {
    const float *gate = f->gate + image * width;
    float *sums = work->gate_gradient + image * width;
    __builtin_memset(sums, 0, width * sizeof(float));
    for (size_t row = image * f->tokens; row < (image + 1) * f->tokens; ++row)
      for (size_t i = 0; i < width; i += WIDTH) {
        const size_t at = row * width + i, count = width - i;
        vector d = load_part(work->gradient + at, count);
        store_part(sums + i, count, fused(d, load_part(f->y + at, count), load_part(sums + i, count)));
        store_part(work->y_gradient + at, count, d * load_part(gate + i, count));
      }
  }
}
