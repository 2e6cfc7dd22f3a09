// Rows rounded to whole numbers, in the order in which the codes of a weight are read.
//
// Every 32 numbers of a row have a scale of their own in f32, so an outlier costs only its neighbours precision, and no
// number is too large or too small. Rounded to 16 bits, a row is as exact as the f32 sums that it goes into.
#ifndef CKERNELS_QUANTIZED_FORMS_H
#define CKERNELS_QUANTIZED_FORMS_H

#include "QuantizedCodes.h"

/// A form: the number of planes, as a power of two, and whether numbers have 16 bits.
INLINE size_t form_of(int bits, bool fine) { return (size_t)__builtin_ctz(planes_of(bits)) * 2 + fine; }
INLINE int form_planes(size_t form) { return 1 << form / 2; }

/// Bytes of a chunk: its numbers, then the scale of each lane.
INLINE size_t form_numbers(int planes, bool fine) {
  return (size_t)planes * PLANE * (MULTIPLIES_BYTES ? fine ? 2 : 1 : 2);
}
INLINE size_t form_step(int planes, bool fine) { return form_numbers(planes, fine) + WIDTH * sizeof(float); }

INLINE size_t form_chunks(int planes, size_t inputs) {
  const size_t codes = (size_t)planes * PLANE;
  return (inputs + codes - 1) / codes;
}

/// Elements of the sums of groups of 2^shift inputs, with zeros to the next whole vector.
INLINE size_t form_sums(size_t inputs, int shift) {
  return (((inputs + ((size_t)1 << shift) - 1) >> shift) + WIDTH - 1) / WIDTH * WIDTH;
}

/// Where the sums of groups are, behind the chunks: of 32, then of 64, then of 128 inputs.
INLINE size_t form_sums_at(int planes, bool fine, size_t inputs, int shift) {
  size_t at = form_chunks(planes, inputs) * form_step(planes, fine);
  for (int s = 5; s < shift; ++s) at += form_sums(inputs, s) * sizeof(float);
  return at;
}

static size_t quantized_form(const ckernels_quantized *weight) { return form_of(weight->bits, weight->fine); }

static size_t quantized_form_bytes(size_t inputs, size_t form) {
  const size_t bytes = form_sums_at(form_planes(form), form & 1, inputs, 8);
  return (bytes + 63) / 64 * 64;
}

/// The place of number `i` of a chunk, counted in numbers: neighbours are in different planes.
INLINE size_t form_place(int planes, size_t i) { return i % planes * PLANE + i / planes; }

/// Rounds up to 32 numbers; returns their scale, NaN if one of them is not finite.
INLINE float round_block(const float *x, size_t count, int largest, int32_t *to) {
  vector most = all(0), check = all(0);
  for (size_t i = 0; i < count; i += WIDTH) {
    const vector v = load_part(x + i, count - i);
    most = larger(most, larger(v, -v));
    check = check + v * 0;
  }
  float limit = 0;
  for (int i = 0; i < WIDTH; ++i) limit = most[i] > limit ? most[i] : limit;
  const float nothing = sum_of(check);  // 0, or NaN
  // Blocks of numbers below 2⁻¹⁰⁰ count as zeros: their scale would not be a normal number.
  const bool counts = nothing == 0 && limit > 0x1p-100f;
  const float scale = counts ? limit / (float)largest : nothing, factor = counts ? (float)largest / limit : 0;
  const vector shift = all(12582912.f);  // 1.5 · 2²³: a sum with it is rounded to whole numbers
  for (size_t i = 0; i < ROUND; i += WIDTH) {
    const vector v = i < count && counts ? load_part(x + i, count - i) * factor + shift - shift : all(0);
    const integers whole = __builtin_convertvector(v, integers);
    __builtin_memcpy(to + i, &whole, sizeof whole);
  }
  return scale;
}

/// Stores `count` numbers, with their scale, from code `at` of a chunk on.
INLINE void store_numbers_of_form(int planes, bool fine, const int32_t *numbers, size_t count, float scale, size_t at,
                                  uint8_t *chunk) {
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
    int16_t *to = (int16_t *)chunk + first;
    for (size_t i = 0; i < count / planes; ++i) to[i] = (int16_t)numbers[i * planes + p];
#endif
  }
  const size_t lane = (size_t)planes * PLANE / WIDTH;
  float *scales = (float *)(chunk + form_numbers(planes, fine)) + at / lane;
  for (size_t l = 0; l < count / lane; ++l) scales[l] = scale;
}

/// sums[g] = the sum of two neighbours of the sums before it.
INLINE void add_pairs(const float *from, size_t count, float *to) {
  for (size_t g = 0; g < (count + 1) / 2; ++g) to[g] = from[2 * g] + (2 * g + 1 < count ? from[2 * g + 1] : 0);
}

INLINE void form_row(int planes, bool fine, const float *x, size_t inputs, uint8_t *to) {
  const size_t codes = (size_t)planes * PLANE, step = form_step(planes, fine);
  const size_t part = codes < ROUND ? codes : ROUND, end = form_chunks(planes, inputs) * codes;
  float *sums[3];
  for (int s = 0; s < 3; ++s) {
    sums[s] = (float *)(to + form_sums_at(planes, fine, inputs, 5 + s));
    __builtin_memset(sums[s], 0, form_sums(inputs, 5 + s) * sizeof(float));
  }
  for (size_t first = 0; first < end; first += ROUND) {
    int32_t numbers[ROUND] = {0};
    float scale = 0;
    if (first < inputs) {
      scale = round_block(x + first, least(ROUND, inputs - first), fine ? 32512 : 127, numbers);
      int32_t sum = 0;
      for (int i = 0; i < ROUND; ++i) sum += numbers[i];
      sums[0][first / ROUND] = (float)sum * scale;
    }
    for (size_t i = 0; i < ROUND && first + i < end; i += part)
      store_numbers_of_form(planes, fine, numbers + i, part, scale, (first + i) % codes, to + (first + i) / codes * step);
  }
  const size_t blocks = (inputs + ROUND - 1) / ROUND;
  add_pairs(sums[0], blocks, sums[1]);
  add_pairs(sums[1], (blocks + 1) / 2, sums[2]);
}

INLINE void form_row_of(size_t form, const float *x, size_t inputs, uint8_t *to) {
  switch (form) {
    case 0: form_row(1, false, x, inputs, to); break;
    case 1: form_row(1, true, x, inputs, to); break;
    case 2: form_row(2, false, x, inputs, to); break;
    case 3: form_row(2, true, x, inputs, to); break;
    case 4: form_row(4, false, x, inputs, to); break;
    case 5: form_row(4, true, x, inputs, to); break;
#if !MULTIPLIES_BYTES
    case 6: form_row(8, false, x, inputs, to); break;
    case 7: form_row(8, true, x, inputs, to); break;
#endif
  }
}

static void quantized_prepare(const ckernels_rounding *work, size_t first, size_t last) {
  const size_t bytes = quantized_form_bytes(work->inputs, work->form);
  for (size_t row = first; row < last; ++row)
    form_row_of(work->form, work->x + row * work->inputs, work->inputs, (uint8_t *)work->result + row * bytes);
}

#endif
