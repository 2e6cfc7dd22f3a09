// Rows rounded to whole numbers, in the order in which the codes of a weight are read.
//
// The numbers of a row that meet one group of a weight have a scale of their own in f32, so an outlier costs only its
// neighbours precision, and no number is too large or too small. Rounded to 16 bits, a row is as exact as the f32 sums
// that it goes into.
#ifndef CKERNELS_QUANTIZED_FORMS_H
#define CKERNELS_QUANTIZED_FORMS_H

#include "QuantizedCodes.h"

/// A form: the number of planes, whether numbers have 16 bits, and the size of groups. A row in it is the numbers of all
/// chunks, then the scale of each group, then the sum of each group; both with zeros to the next whole vector.
typedef struct {
  int planes;
  bool fine;
  int shift;
} form;

INLINE form form_of(const ckernels_quantized *w) { return (form){planes_of(w->bits), w->fine, w->group_shift}; }

static size_t quantized_form(const ckernels_quantized *weight) {
  const form f = form_of(weight);
  return ((size_t)__builtin_ctz(f.planes) * 2 + f.fine) * 3 + (f.shift - 5);
}

INLINE form form_at(size_t index) { return (form){1 << index / 6, index / 3 % 2, 5 + (int)(index % 3)}; }

/// Bytes of a chunk.
INLINE size_t form_step(int planes, bool fine) {
  return (size_t)planes * PLANE * (MULTIPLIES_BYTES ? fine ? 2 : 1 : 2);
}

INLINE size_t form_chunks(int planes, size_t inputs) {
  const size_t codes = (size_t)planes * PLANE;
  return (inputs + codes - 1) / codes;
}

/// Groups, and zeros to the next whole vector.
INLINE size_t form_groups(int shift, size_t inputs) {
  return (((inputs + ((size_t)1 << shift) - 1) >> shift) + WIDTH - 1) / WIDTH * WIDTH;
}

INLINE size_t form_scales_at(form f, size_t inputs) { return form_chunks(f.planes, inputs) * form_step(f.planes, f.fine); }

INLINE size_t form_sums_at(form f, size_t inputs) {
  return form_scales_at(f, inputs) + form_groups(f.shift, inputs) * sizeof(float);
}

static size_t quantized_form_bytes(size_t inputs, size_t index) {
  const form f = form_at(index);
  const size_t bytes = form_sums_at(f, inputs) + form_groups(f.shift, inputs) * sizeof(float);
  return (bytes + 63) / 64 * 64;
}

/// The scale of up to 128 numbers, and the factor to round them with; the scale is NaN if one of them is not finite.
INLINE float scale_of(const float *x, size_t count, int largest, float *factor) {
  vector most = all(0), check = all(0);
  for (size_t i = 0; i < count; i += WIDTH) {
    const vector v = load_part(x + i, count - i);
    most = larger(most, larger(v, -v));
    check = check + v * 0;
  }
  float limit = 0;
  for (int i = 0; i < WIDTH; ++i) limit = most[i] > limit ? most[i] : limit;
  const float nothing = sum_of(check);  // 0, or NaN
  // Groups of numbers below 2⁻¹⁰⁰ count as zeros: their scale would not be a normal number.
  const bool counts = nothing == 0 && limit > 0x1p-100f;
  *factor = counts ? (float)largest / limit : 0;
  return counts ? limit / (float)largest : nothing;
}

/// Rounds 32 numbers, of which `count` are there; returns their sum.
INLINE int32_t round_part(const float *x, size_t count, float factor, int32_t *to) {
  const vector shift = all(12582912.f);  // 1.5 · 2²³: a sum with it is rounded to whole numbers
  integers sum = (integers)0;
  for (size_t i = 0; i < ROUND; i += WIDTH) {
    const vector v = i < count && factor > 0 ? load_part(x + i, count - i) * factor + shift - shift : all(0);
    const integers whole = __builtin_convertvector(v, integers);
    __builtin_memcpy(to + i, &whole, sizeof whole);
    sum = sum + whole;
  }
  return __builtin_reduce_add(sum);
}

/// Stores `count` numbers from code `at` of a chunk on: neighbours are in different planes.
INLINE void store_in_planes(int planes, bool fine, const int32_t *numbers, size_t count, size_t at, uint8_t *chunk) {
  for (int p = 0; p < planes; ++p) {
    const size_t first = (size_t)p * PLANE + at / planes;
#if MULTIPLIES_BYTES
    for (size_t i = 0; i < count / planes; ++i) {
      // high · 256 + low, both signed.
      const int32_t number = numbers[i * planes + p];
      const int8_t low = (int8_t)number;
      chunk[first + i] = fine ? (uint8_t)((number - low) >> 8) : (uint8_t)low;
      if (fine) chunk[(size_t)planes * PLANE + first + i] = (uint8_t)low;
    }
#else
    (void)fine;
    int16_t *to = (int16_t *)chunk + first;
    for (size_t i = 0; i < count / planes; ++i) to[i] = (int16_t)numbers[i * planes + p];
#endif
  }
}

INLINE void form_row(int planes, bool fine, int shift, const float *x, size_t inputs, uint8_t *to) {
  const form f = {planes, fine, shift};
  const size_t codes = (size_t)planes * PLANE, step = form_step(planes, fine), group = (size_t)1 << shift;
  const size_t part = codes < ROUND ? codes : ROUND, end = form_chunks(planes, inputs) * codes;
  float *scales = (float *)(to + form_scales_at(f, inputs)), *sums = (float *)(to + form_sums_at(f, inputs));
  __builtin_memset(scales, 0, 2 * form_groups(shift, inputs) * sizeof(float));
  float factor = 0;
  int32_t sum = 0;
  for (size_t first = 0; first < end; first += ROUND) {
    int32_t numbers[ROUND] = {0};
    if (first < inputs) {
      if (first % group == 0) {
        scales[first >> shift] = scale_of(x + first, least(group, inputs - first), fine ? 32512 : 127, &factor);
        sum = 0;
      }
      sum += round_part(x + first, inputs - first, factor, numbers);
      sums[first >> shift] = (float)sum * scales[first >> shift];
    }
    for (size_t i = 0; i < ROUND && first + i < end; i += part)
      store_in_planes(planes, fine, numbers + i, part, (first + i) % codes, to + (first + i) / codes * step);
  }
}

INLINE void form_row_of(size_t index, const float *x, size_t inputs, uint8_t *to) {
  const form f = form_at(index);
  switch (index / 3) {
    case 0: form_row(1, false, f.shift, x, inputs, to); break;
    case 1: form_row(1, true, f.shift, x, inputs, to); break;
    case 2: form_row(2, false, f.shift, x, inputs, to); break;
    case 3: form_row(2, true, f.shift, x, inputs, to); break;
    case 4: form_row(4, false, f.shift, x, inputs, to); break;
    case 5: form_row(4, true, f.shift, x, inputs, to); break;
#if !MULTIPLIES_BYTES
    case 6: form_row(8, false, f.shift, x, inputs, to); break;
    case 7: form_row(8, true, f.shift, x, inputs, to); break;
#endif
  }
}

static void quantized_prepare(const ckernels_rounding *work, size_t first, size_t last) {
  const size_t bytes = quantized_form_bytes(work->inputs, work->form);
  for (size_t row = first; row < last; ++row)
    form_row_of(work->form, work->x + row * work->inputs, work->inputs, (uint8_t *)work->result + row * bytes);
}

#endif
