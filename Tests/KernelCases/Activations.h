// The activation functions of experts, in f64.
#ifndef KERNEL_CASES_ACTIVATIONS_H
#define KERNEL_CASES_ACTIVATIONS_H

#include <CKernels.h>

/// The most that either function below can rise per unit of x.
#define STEEPEST 1.2

double activation_value(ckernels_activation activation, double x);
double activation_slope(ckernels_activation activation, double x);

#endif
