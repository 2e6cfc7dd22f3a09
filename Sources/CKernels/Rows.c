// Row-wise functions, each fused into one pass over memory.

#include "CKernels.h"
#include "Tile.h"

#if defined(__x86_64__)

INLINE __m512 loaded_numbers(bool narrow, const void *from, size_t at, __mmask16 lanes) {
  if (!narrow) return _mm512_maskz_loadu_ps(lanes, (const float *)from + at);
  __m256i bits = _mm256_maskz_loadu_epi16(lanes, (const uint16_t *)from + at);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

INLINE void store_numbers(bool narrow, void *to, size_t at, __mmask16 lanes, __m512 values) {
  if (narrow)
    _mm256_mask_storeu_epi16((uint16_t *)to + at, lanes, narrowed(values));
  else
    _mm512_mask_storeu_ps((float *)to + at, lanes, values);
}

FAST void ckernels_rms_norm(const ckernels_norm *work, size_t first, size_t last) {
  const size_t width = work->width;
  for (size_t row = first; row < last; ++row) {
    __m512 squares = _mm512_setzero_ps();
    for (size_t i = 0; i < width; i += WIDTH) {
      __m512 x = loaded_numbers(work->narrow, work->x, row * width + i, low_lanes(width - i));
      squares = _mm512_fmadd_ps(x, x, squares);
    }
    float mean = _mm512_reduce_add_ps(squares) / (float)width;
    __m512 factor = _mm512_set1_ps(1 / __builtin_sqrtf(mean + work->epsilon));
    for (size_t i = 0; i < width; i += WIDTH) {
      __mmask16 lanes = low_lanes(width - i);
      __m512 x = loaded_numbers(work->narrow, work->x, row * width + i, lanes);
      __m512 weight = loaded_numbers(work->narrow, work->weight, i, lanes);
      store_numbers(work->narrow, work->result, row * width + i, lanes,
                    _mm512_mul_ps(_mm512_mul_ps(x, factor), weight));
    }
  }
}

FAST void ckernels_rotate(const ckernels_rotation *work, size_t first, size_t last) {
  const size_t half = work->width / 2;
  for (size_t row = first; row < last; ++row) {
    const size_t angle = row % work->positions * half;
    for (size_t head = 0; head < work->heads; ++head) {
      const size_t at = (row * work->heads + head) * work->width;
      for (size_t i = 0; i < half; i += WIDTH) {
        __mmask16 lanes = low_lanes(half - i);
        __m512 a = loaded_numbers(work->narrow, work->x, at + i, lanes);
        __m512 b = loaded_numbers(work->narrow, work->x, at + half + i, lanes);
        __m512 cosine = _mm512_maskz_loadu_ps(lanes, work->cosine + angle + i);
        __m512 sine = _mm512_maskz_loadu_ps(lanes, work->sine + angle + i);
        store_numbers(work->narrow, work->result, at + i, lanes,
                      _mm512_fmsub_ps(a, cosine, _mm512_mul_ps(b, sine)));
        store_numbers(work->narrow, work->result, at + half + i, lanes,
                      _mm512_fmadd_ps(b, cosine, _mm512_mul_ps(a, sine)));
      }
    }
  }
}

#else

void ckernels_rms_norm(const ckernels_norm *work, size_t first, size_t last) {}
void ckernels_rotate(const ckernels_rotation *work, size_t first, size_t last) {}

#endif
