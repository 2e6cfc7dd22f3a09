// Element-wise steps around the layers of a diffusion transformer, each fused into one pass over
// memory, and their backward passes.

#include "CKernels.h"
#include "Tile.h"

#if defined(__x86_64__)

FAST void ckernels_modulate(const ckernels_modulation *work, size_t first, size_t last) {
  const size_t width = work->width;
  for (size_t row = first; row < last; ++row) {
    const float *x = work->x + row * width;
    const float *shift = work->shift + row / work->tokens * width, *scale = work->scale + row / work->tokens * width;
    __m512 sum = _mm512_setzero_ps(), squares = _mm512_setzero_ps();
    for (size_t i = 0; i < width; i += WIDTH)
      sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(low_lanes(width - i), x + i));
    const float mean = _mm512_reduce_add_ps(sum) / (float)width;
    const __m512 means = _mm512_set1_ps(mean);
    for (size_t i = 0; i < width; i += WIDTH) {
      __mmask16 lanes = low_lanes(width - i);
      __m512 centred = _mm512_maskz_sub_ps(lanes, _mm512_maskz_loadu_ps(lanes, x + i), means);
      squares = _mm512_fmadd_ps(centred, centred, squares);
    }
    const float factor = 1 / __builtin_sqrtf(_mm512_reduce_add_ps(squares) / (float)width + work->epsilon);
    const __m512 factors = _mm512_set1_ps(factor);
    work->means[row] = mean;
    work->factors[row] = factor;
    for (size_t i = 0; i < width; i += WIDTH) {
      __mmask16 lanes = low_lanes(width - i);
      __m512 norm = _mm512_mul_ps(_mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, x + i), means), factors);
      __m512 s = _mm512_add_ps(_mm512_set1_ps(1), _mm512_maskz_loadu_ps(lanes, scale + i));
      _mm512_mask_storeu_ps(work->result + row * width + i, lanes,
                            _mm512_fmadd_ps(norm, s, _mm512_maskz_loadu_ps(lanes, shift + i)));
    }
  }
}

FAST static void modulate_row_backward(const ckernels_modulation_backward *work, size_t row, float *shift,
                                       float *scale) {
  const ckernels_modulation *f = work->forward;
  const size_t width = f->width;
  const float *x = f->x + row * width, *gradient = work->gradient + row * width;
  const float *factor_of = f->scale + row / f->tokens * width;
  const __m512 mean = _mm512_set1_ps(f->means[row]), factor = _mm512_set1_ps(f->factors[row]);
  const __m512 one = _mm512_set1_ps(1);
  __m512 sum = _mm512_setzero_ps(), along = _mm512_setzero_ps();
  for (size_t i = 0; i < width; i += WIDTH) {
    __mmask16 lanes = low_lanes(width - i);
    __m512 d = _mm512_maskz_loadu_ps(lanes, gradient + i);
    __m512 norm = _mm512_mul_ps(_mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, x + i), mean), factor);
    __m512 inner = _mm512_mul_ps(d, _mm512_add_ps(one, _mm512_maskz_loadu_ps(lanes, factor_of + i)));
    _mm512_mask_storeu_ps(shift + i, lanes, _mm512_add_ps(_mm512_maskz_loadu_ps(lanes, shift + i), d));
    _mm512_mask_storeu_ps(scale + i, lanes, _mm512_fmadd_ps(d, norm, _mm512_maskz_loadu_ps(lanes, scale + i)));
    sum = _mm512_add_ps(sum, inner);
    along = _mm512_fmadd_ps(inner, norm, along);
  }
  const __m512 means = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / (float)width);
  const __m512 slope = _mm512_set1_ps(_mm512_reduce_add_ps(along) / (float)width);
  for (size_t i = 0; i < width; i += WIDTH) {
    __mmask16 lanes = low_lanes(width - i);
    __m512 d = _mm512_maskz_loadu_ps(lanes, gradient + i);
    __m512 norm = _mm512_mul_ps(_mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, x + i), mean), factor);
    __m512 inner = _mm512_mul_ps(d, _mm512_add_ps(one, _mm512_maskz_loadu_ps(lanes, factor_of + i)));
    __m512 rest = _mm512_fnmadd_ps(norm, slope, _mm512_sub_ps(inner, means));
    _mm512_mask_storeu_ps(work->x_gradient + row * width + i, lanes, _mm512_mul_ps(rest, factor));
  }
}

FAST void ckernels_modulate_backward(const ckernels_modulation_backward *work, size_t first, size_t last) {
  const size_t width = work->forward->width, tokens = work->forward->tokens;
  for (size_t image = first; image < last; ++image) {
    float *shift = work->shift_gradient + image * width, *scale = work->scale_gradient + image * width;
    __builtin_memset(shift, 0, width * sizeof(float));
    __builtin_memset(scale, 0, width * sizeof(float));
    for (size_t row = image * tokens; row < (image + 1) * tokens; ++row) modulate_row_backward(work, row, shift, scale);
  }
}

FAST void ckernels_add_gated(const ckernels_gated_sum *work, size_t first, size_t last) {
  const size_t width = work->width;
  for (size_t row = first; row < last; ++row) {
    const float *gate = work->gate + row / work->tokens * width;
    for (size_t i = 0; i < width; i += WIDTH) {
      __mmask16 lanes = low_lanes(width - i);
      const size_t at = row * width + i;
      __m512 sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(lanes, gate + i), _mm512_maskz_loadu_ps(lanes, work->y + at),
                                   _mm512_maskz_loadu_ps(lanes, work->x + at));
      _mm512_mask_storeu_ps(work->result + at, lanes, sum);
    }
  }
}

FAST void ckernels_add_gated_backward(const ckernels_gated_sum_backward *work, size_t first, size_t last) {
  const ckernels_gated_sum *f = work->forward;
  const size_t width = f->width;
  for (size_t image = first; image < last; ++image) {
    const float *gate = f->gate + image * width;
    float *sums = work->gate_gradient + image * width;
    __builtin_memset(sums, 0, width * sizeof(float));
    for (size_t row = image * f->tokens; row < (image + 1) * f->tokens; ++row)
      for (size_t i = 0; i < width; i += WIDTH) {
        __mmask16 lanes = low_lanes(width - i);
        const size_t at = row * width + i;
        __m512 d = _mm512_maskz_loadu_ps(lanes, work->gradient + at);
        __m512 y = _mm512_maskz_loadu_ps(lanes, f->y + at), sum = _mm512_maskz_loadu_ps(lanes, sums + i);
        _mm512_mask_storeu_ps(sums + i, lanes, _mm512_fmadd_ps(d, y, sum));
        _mm512_mask_storeu_ps(work->y_gradient + at, lanes, _mm512_mul_ps(d, _mm512_maskz_loadu_ps(lanes, gate + i)));
      }
  }
}

#else

// Callers ask `ckernels_has_tiles` first, so these are never reached.
void ckernels_modulate(const ckernels_modulation *work, size_t first, size_t last) {}
void ckernels_modulate_backward(const ckernels_modulation_backward *work, size_t first, size_t last) {}
void ckernels_add_gated(const ckernels_gated_sum *work, size_t first, size_t last) {}
void ckernels_add_gated_backward(const ckernels_gated_sum_backward *work, size_t first, size_t last) {}

#endif
