// Random packed weights, and what they stand for.
#ifndef KERNEL_CASES_QUANTIZED_H
#define KERNEL_CASES_QUANTIZED_H

#include "Trial.h"

/// A random weight of `outputs` rows. `choice` chooses kind, width, group, type of scales and precision: all
/// combinations occur among `QUANTIZED_CHOICES` consecutive ones.
ckernels_quantized quantized_weight(trial *t, size_t choice, size_t outputs, size_t inputs);

enum { QUANTIZED_CHOICES = 6 * 2 * 3 * 3 * 2 + 2 * 3 * 2 * 2 };

/// The number at a place.
double quantized_value(const ckernels_quantized *w, size_t output, size_t input);

/// The size of the terms that a kernel may add up to that number.
double quantized_size(const ckernels_quantized *w, size_t output, size_t input);

/// How far rounding may move number `input` of a row, for few rows.
double rounding_error(const ckernels_quantized *w, const double *row, size_t input);

#endif
