// Activation functions, one register at a time.
#ifndef CKERNELS_ACTIVATION_H
#define CKERNELS_ACTIVATION_H

#include <math.h>

#include "../Vectors/Vector.h"
#include "CKernels.h"

/// p · 2^n for whole n of -126 to 128.
INLINE vector scaled(vector p, vector n) {
#if WIDTH == 16
  return (vector)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
  // In two steps, because 2^128 is not a number of this type.
  integers whole = __builtin_convertvector(n, integers), half = whole >> 1;
  return p * (vector)((half + 127) << 23) * (vector)((whole - half + 127) << 23);
#endif
}

/// The nearest whole number, ties to even, for |x| < 2²².
INLINE vector rounded(vector x) {
  const vector shift = all(12582912.f);  // 1.5 · 2²³: a sum with it has no bits behind the point
  return x + shift - shift;
}

/// e^x within 2 units in the last place; 0 below the range and infinity above it, NaN for NaN.
INLINE vector exponential(vector x) {
  const float least = -126.f * 0.693147181f;
  // NaN counts as 0 until the end: it has no whole number.
  vector bounded = larger(all(least), smaller(all(89.f), chosen(x != x, all(0), x)));
  vector n = rounded(bounded * 1.44269504f);
  // ln 2 in two parts, so that r keeps full precision.
  vector r = fused(-n, all(0.693359375f), bounded);
  r = fused(-n, all(-2.12194440e-4f), r);
  vector p = all(1.f / 5040);
  const float factors[] = {1.f / 720, 1.f / 120, 1.f / 24, 1.f / 6, .5f, 1.f, 1.f};
  for (int i = 0; i < 7; ++i) p = fused(p, r, all(factors[i]));
  vector result = chosen(x < least, all(0), scaled(p, n));
  return chosen(x != x, x, result);
}

INLINE vector logistic(vector x) { return 1 / (1 + exponential(-x)); }

INLINE vector hyperbolic_tangent(vector x) { return 1 - 2 / (exponential(x + x) + 1); }

/// A function of the C library, lane by lane.
INLINE vector each(float (*function)(float), vector x) {
  vector y;
  for (int i = 0; i < WIDTH; ++i) y[i] = function(x[i]);
  return y;
}

INLINE vector activated(int activation, vector x) {
  switch (activation) {
    case CKERNELS_GELU:
      return .5f * x * (1 + each(erff, x * 0.70710678f));
    case CKERNELS_TANH:
      return each(tanhf, x);
    case CKERNELS_LOGISTIC:
      return logistic(x);
    case CKERNELS_RELU:
      return larger(all(0), x)  /* its second argument for NaN */;
    case CKERNELS_GELU_TANH: {
      // 0.5 · (1 + tanh(u)) is the logistic function of 2 · u.
      vector u = fused(x * x * x, all(0.044715f), x) * (2 * 0.7978845608f);
      return x / (1 + exponential(-u));
    }
    default: return x / (1 + exponential(-x));
  }
}

/// The function and its derivative.
INLINE vector activated_with_slope(int activation, vector x, vector *slope) {
  if (activation == CKERNELS_RELU) {
    *slope = chosen(x <= 0, all(0), all(1));
    return activated(activation, x);
  }
  // SiLU and GELU are x · σ(z): z is x itself, or the argument of GELU's tanh approximation.
  vector z = x, rise = all(1);
  if (activation == CKERNELS_GELU_TANH) {
    const float factor = 2 * 0.7978845608f, cubic = 0.044715f;
    vector square = x * x;
    z = x * factor * fused(square, all(cubic), all(1));
    rise = factor * fused(square, all(3 * cubic), all(1));
  }
  vector sigmoid = logistic(z);
  vector value = x * sigmoid;
  *slope = fused(value * rise, 1 - sigmoid, sigmoid);
  return value;
}

#endif
