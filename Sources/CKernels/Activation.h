// Activation functions of 16 elements at once.
#ifndef CKERNELS_ACTIVATION_H
#define CKERNELS_ACTIVATION_H

#include "CKernels.h"
#include "Tile.h"

#if defined(__x86_64__)

/// e^x within 2 units in the last place; 0 below the range and infinity above it, NaN for NaN.
INLINE __m512 exponential(__m512 x) {
  __m512 bounded = _mm512_max_ps(_mm512_set1_ps(-126.f * 0.693147181f),
                                 _mm512_min_ps(_mm512_set1_ps(89.f), x));
  __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(bounded, _mm512_set1_ps(1.44269504f)), 0);
  // ln 2 in two parts, so that r keeps full precision.
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), bounded);
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), r);
  __m512 p = _mm512_set1_ps(1.f / 5040);
  const float factors[] = {1.f / 720, 1.f / 120, 1.f / 24, 1.f / 6, .5f, 1.f, 1.f};
  for (int i = 0; i < 7; ++i) p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(factors[i]));
  __m512 result = _mm512_scalef_ps(p, n);
  __mmask16 small = _mm512_cmp_ps_mask(x, _mm512_set1_ps(-126.f * 0.693147181f), _CMP_LT_OQ);
  result = _mm512_mask_mov_ps(result, small, _mm512_setzero_ps());
  __mmask16 unordered = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  return _mm512_mask_mov_ps(result, unordered, x);
}

INLINE __m512 activated(int activation, __m512 x) {
  switch (activation) {
    case CKERNELS_RELU:
      return _mm512_max_ps(_mm512_setzero_ps(), x)  /* gives its second argument for NaN */;
    case CKERNELS_GELU_TANH: {
      // 0.5 · (1 + tanh(u)) is the logistic function of 2 · u.
      __m512 cube = _mm512_mul_ps(_mm512_mul_ps(x, x), x);
      __m512 u = _mm512_mul_ps(_mm512_fmadd_ps(cube, _mm512_set1_ps(0.044715f), x),
                               _mm512_set1_ps(2 * 0.7978845608f));
      __m512 e = exponential(_mm512_sub_ps(_mm512_setzero_ps(), u));
      return _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1), e));
    }
    default: {
      __m512 e = exponential(_mm512_sub_ps(_mm512_setzero_ps(), x));
      return _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1), e));
    }
  }
}

/// The function and its derivative.
INLINE __m512 activated_with_slope(int activation, __m512 x, __m512 *slope) {
  const __m512 one = _mm512_set1_ps(1);
  if (activation == CKERNELS_RELU) {
    *slope = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NLE_UQ), one);
    return activated(activation, x);
  }
  // SiLU and GELU are x · σ(z): z is x itself, or the argument of GELU's tanh approximation.
  __m512 z = x, rise = one;
  if (activation == CKERNELS_GELU_TANH) {
    const __m512 factor = _mm512_set1_ps(2 * 0.7978845608f), cubic = _mm512_set1_ps(0.044715f);
    __m512 square = _mm512_mul_ps(x, x);
    z = _mm512_mul_ps(_mm512_mul_ps(x, factor), _mm512_fmadd_ps(square, cubic, one));
    rise = _mm512_mul_ps(factor, _mm512_fmadd_ps(square, _mm512_set1_ps(3 * 0.044715f), one));
  }
  __m512 sigmoid =
      _mm512_div_ps(one, _mm512_add_ps(one, exponential(_mm512_sub_ps(_mm512_setzero_ps(), z))));
  __m512 value = _mm512_mul_ps(x, sigmoid);
  *slope = _mm512_fmadd_ps(_mm512_mul_ps(value, rise), _mm512_sub_ps(one, sigmoid), sigmoid);
  return value;
}

#endif
#endif
