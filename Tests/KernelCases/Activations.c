#include "Activations.h"

#include <math.h>

static double logistic(double x) { return 1 / (1 + exp(-x)); }

/// The argument of GELU's tanh, and its derivative.
static double gelu_argument(double x) { return sqrt(2 / M_PI) * (x + 0.044715 * x * x * x); }
static double gelu_rise(double x) { return sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x); }

double activation_value(ckernels_activation activation, double x) {
  switch (activation) {
    case CKERNELS_RELU: return x < 0 ? 0 : x;
    case CKERNELS_GELU_TANH: return 0.5 * x * (1 + tanh(gelu_argument(x)));
    case CKERNELS_GELU: return 0.5 * x * (1 + erf(x * sqrt(0.5)));
    case CKERNELS_TANH: return tanh(x);
    case CKERNELS_LOGISTIC: return logistic(x);
    case CKERNELS_SILU: break;
  }
  return x * logistic(x);
}

double activation_slope(ckernels_activation activation, double x) {
  switch (activation) {
    case CKERNELS_RELU: return x < 0 ? 0 : 1;
    case CKERNELS_GELU_TANH: {
      const double t = tanh(gelu_argument(x));
      return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * gelu_rise(x);
    }
    default: break;  // experts have no others
  }
  return logistic(x) * (1 + x * (1 - logistic(x)));
}
