#include "Quantized.h"

#include <math.h>

/// The code of a row's input, bit by bit.
static unsigned code_at(const ckernels_quantized *w, size_t output, size_t input) {
  unsigned code = 0;
  for (int i = 0; i < w->bits; ++i) {
    const size_t bit = input * (size_t)w->bits + (size_t)i;
    code |= (unsigned)(w->codes[output * w->row_bytes + bit / 8] >> bit % 8 & 1) << i;
  }
  return code;
}

static double f16_value(uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const double size = exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
  return bits & 0x8000 ? -size : size;
}

static double scale_at(ckernels_scale type, const void *from, size_t at) {
  switch (type) {
    case CKERNELS_SCALE_F32: return trial_number(false, from, at);
    case CKERNELS_SCALE_BF16: return trial_number(true, from, at);
    case CKERNELS_SCALE_F16: return f16_value(((const uint16_t *)from)[at]);
    default: return ldexp(1, ((const uint8_t *)from)[at] - 127);
  }
}

static double table_value(ckernels_kind kind, unsigned code) {
  static const double fp4[8] = {0, .5, 1, 1.5, 2, 3, 4, 6};
  static const double nl4[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
  if (kind == CKERNELS_NL4) return nl4[code];
  return code & 8 ? -fp4[code & 7] : fp4[code];
}

double quantized_value(const ckernels_quantized *w, size_t output, size_t input) {
  const size_t group = output * w->row_groups + (input >> w->group_shift);
  const unsigned code = code_at(w, output, input);
  const double scale = scale_at(w->scale_type, w->scales, group);
  switch (w->kind) {
    case CKERNELS_AFFINE: return code * scale + scale_at(w->scale_type, w->biases, group);
    case CKERNELS_SYMMETRIC: return ((double)code - (1 << (w->bits - 1))) * scale;
    default: return table_value(w->kind, code) * scale;
  }
}

double quantized_size(const ckernels_quantized *w, size_t output, size_t input) {
  const size_t group = output * w->row_groups + (input >> w->group_shift);
  const double scale = fabs(scale_at(w->scale_type, w->scales, group));
  if (w->kind == CKERNELS_AFFINE)
    return scale * (1 << w->bits) + fabs(scale_at(w->scale_type, w->biases, group));
  return scale * (w->kind == CKERNELS_NL4 ? 255 : w->kind == CKERNELS_FP4 ? 24 : 1 << w->bits);
}

double rounding_error(const ckernels_quantized *w, const double *row, size_t input) {
  const size_t first = input >> w->group_shift << w->group_shift;
  const size_t end = trial_least(first + ((size_t)1 << w->group_shift), w->inputs);
  double limit = 0;
  for (size_t i = first; i < end; ++i) limit = fmax(limit, fabs(row[i]));
  return limit / (w->fine ? 32512 : 127) * .51;
}

/// Random scales: of both signs, where the type has signs.
static void *random_scales(trial *t, ckernels_scale type, size_t count, double size) {
  if (type == CKERNELS_SCALE_F32 || type == CKERNELS_SCALE_BF16) {
    void *scales = trial_numbers(t, type == CKERNELS_SCALE_BF16, count);
    for (size_t i = 0; i < count; ++i)
      trial_set(type == CKERNELS_SCALE_BF16, scales, i, size * trial_number(type == CKERNELS_SCALE_BF16, scales, i));
    return scales;
  }
  uint8_t bytes[2 * count];
  for (size_t i = 0; i < count; ++i) {
    // Some f16 numbers are subnormal.
    const uint16_t half = (uint16_t)(trial_below(t, 2) << 15 | trial_below(t, 12) << 10 | trial_below(t, 1024));
    memcpy(bytes + 2 * i, &half, 2);
    if (type == CKERNELS_SCALE_E8M0) bytes[i] = (uint8_t)(trial_below(t, 8) ? 120 + trial_below(t, 8) : trial_below(t, 3));
  }
  return trial_copy(t, bytes, type == CKERNELS_SCALE_E8M0 ? count : 2 * count);
}

ckernels_quantized quantized_weight(trial *t, size_t choice, size_t outputs, size_t inputs) {
  static const int widths[] = {2, 3, 4, 5, 6, 8};
  ckernels_quantized w = {.inputs = inputs};
  w.fine = choice % 2;
  choice /= 2;
  w.group_shift = 5 + (int)(choice % 3);
  choice /= 3;
  if (choice < 6 * 2 * 3) {
    w.bits = widths[choice % 6];
    w.kind = choice / 6 % 2 ? CKERNELS_SYMMETRIC : CKERNELS_AFFINE;
    w.scale_type = (ckernels_scale[]){CKERNELS_SCALE_F32, CKERNELS_SCALE_BF16, CKERNELS_SCALE_F16}[choice / 12 % 3];
  } else {
    w.bits = 4;
    // The scales of FP4 are powers of two, and only those.
    w.kind = choice % 2 ? CKERNELS_FP4 : CKERNELS_NL4;
    w.scale_type = choice % 2 ? CKERNELS_SCALE_E8M0 : choice / 2 % 2 ? CKERNELS_SCALE_F16 : CKERNELS_SCALE_F32;
  }
  w.row_bytes = (inputs * (size_t)w.bits + 31) / 32 * 4;
  w.row_groups = (inputs + ((size_t)1 << w.group_shift) - 1) >> w.group_shift;
  uint8_t codes[outputs * w.row_bytes];
  for (size_t i = 0; i < sizeof codes; ++i) codes[i] = (uint8_t)trial_below(t, 256);
  w.codes = trial_copy(t, codes, sizeof codes);
  w.scales = random_scales(t, w.scale_type, outputs * w.row_groups, 1);
  if (w.kind == CKERNELS_AFFINE) w.biases = random_scales(t, w.scale_type, outputs * w.row_groups, 1 << w.bits);
  return w;
}
