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
