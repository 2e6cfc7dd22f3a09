// Rounds a dense weight to codes: to nearest, each group by itself.
#ifndef CKERNELS_QUANTIZED_ROUND_H
#define CKERNELS_QUANTIZED_ROUND_H

#include <math.h>

#include "QuantizedCodes.h"

/// The largest group.
enum { ROUND_GROUP = 128 };

/// A group's scale and bias, as they are used to round, and the largest code.
typedef struct {
  float scale, bias;
} group_rule;

/// Rounds as values of the type in which scales are stored; infinity if they are too large for it.
INLINE float as_stored(ckernels_scale type, float value) {
  if (type == CKERNELS_SCALE_BF16) return bf16_value(bf16_bits(value));
  if (type != CKERNELS_SCALE_F16) return value;
  // To 11 bits, or to a multiple of the smallest number, 2⁻²⁴; to nearest, ties to even.
  const float size = fabsf(value);
  int exponent;
  frexpf(size, &exponent);
  const float unit = ldexpf(1, exponent - 11 > -24 ? exponent - 11 : -24);
  const float rounded_size = rintf(size / unit) * unit;
  return rounded_size <= 65504 ? copysignf(rounded_size, value) : value * INFINITY;
}

INLINE void store_scale(ckernels_scale type, void *to, size_t at, float value) {
  if (type == CKERNELS_SCALE_F32) ((float *)to)[at] = value;
  if (type == CKERNELS_SCALE_BF16) ((uint16_t *)to)[at] = bf16_bits(value);
  if (type != CKERNELS_SCALE_F16) return;
  value = as_stored(type, value);
  uint32_t bits;
  const float scaled_value = fabsf(value) * 0x1p-112f;
  __builtin_memcpy(&bits, &scaled_value, sizeof bits);
  ((uint16_t *)to)[at] = (uint16_t)(bits >> 13 | (signbit(value) ? 0x8000u : 0));
}

/// As MLX rounds: the end of larger magnitude is a value of its own, and 0 is one if it can be.
INLINE group_rule mlx_rule(float low, float high, float most) {
  const bool negative = fabsf(low) > fabsf(high);
  float scale = fmaxf((high - low) / most, 1e-7f);
  if (!negative) scale = -scale;
  const float edge = negative ? low : high, steps = rintf(edge / scale);
  if (steps == 0) return (group_rule){scale, 0};
  return (group_rule){edge / steps, edge};
}

/// The whole range in equal steps. Scale and bias are rounded first, so that codes are the nearest to what is stored.
INLINE group_rule affine_rule(ckernels_scale type, float low, float high, float most) {
  const float bias = as_stored(type, low), scale = as_stored(type, (high - bias) / most);
  return (group_rule){scale, bias};
}

/// The end of larger magnitude becomes the lowest code, which has no counterpart.
INLINE group_rule symmetric_rule(ckernels_scale type, float low, float high, int bits) {
  const float edge = fabsf(low) > fabsf(high) ? low : high;
  return (group_rule){as_stored(type, edge / (float)-(1 << (bits - 1))), 0};
}

/// Moves the upper of two neighbouring fields of `size` bits next to the lower one, which has `bits` bits; `each` has a
/// bit where a pair begins.
INLINE uint64_t joined(uint64_t fields, int bits, int size, uint64_t each) {
  const uint64_t low = (((uint64_t)1 << bits) - 1) * each;
  return (fields & low) | (fields >> (size - bits) & low << bits);
}

/// Eight codes of a byte each, packed into the low bits.
INLINE uint64_t packed_codes(int bits, const uint8_t *codes) {
  uint64_t v;
  __builtin_memcpy(&v, codes, sizeof v);
  if (bits == 8) return v;
  v = joined(v, bits, 8, 0x0001000100010001u);
  v = joined(v, 2 * bits, 16, 0x0000000100000001u);
  return joined(v, 4 * bits, 32, 1);
}

/// The smallest lane.
INLINE float smallest_of(vector v) {
  float lanes[WIDTH];
  store(lanes, v);
#pragma clang loop unroll(full)
  for (int half = WIDTH / 2; half > 0; half /= 2)
#pragma clang loop unroll(full)
    for (int i = 0; i < half; ++i) lanes[i] = lanes[i + half] < lanes[i] ? lanes[i + half] : lanes[i];
  return lanes[0];
}

/// One group of up to 128 numbers, a multiple of WIDTH if it is `whole`; `to` has room for codes of 128.
INLINE void round_group(int bits, bool whole, const ckernels_packing *work, const float *values, size_t count,
                        size_t group, uint8_t *to) {
  vector lows = all(INFINITY), highs = all(INFINITY), check = all(0);
  for (size_t i = 0; i < count; i += WIDTH) {
    const vector v = whole ? load(values + i) : load_part(values + i, count - i);
    const mask there = low_lanes(count - i);
    check = check + v * 0;  // NaN for ever, if a number is not finite
    lows = smaller(lows, whole ? v : chosen(there, v, all(INFINITY)));
    highs = smaller(highs, whole ? -v : chosen(there, -v, all(INFINITY)));
  }
  const float low = smallest_of(lows), high = -smallest_of(highs);
  const int zero = work->kind == CKERNELS_SYMMETRIC ? 1 << (bits - 1) : 0;
  const float most = (float)((1 << bits) - 1);
  const float nothing = sum_of(check);
  const group_rule found = zero        ? symmetric_rule(work->scale_type, low, high, bits)
                          : work->mlx ? mlx_rule(low, high, most)
                                      : affine_rule(work->scale_type, low, high, most);
  // The caller refuses scales that are not finite.
  const group_rule rule = {found.scale + nothing, found.bias + nothing};
  store_scale(work->scale_type, work->scales, group, rule.scale);
  if (work->biases) store_scale(work->scale_type, work->biases, group, rule.bias);
  const float divisor = rule.scale == 0 ? 1 : rule.scale;
  const vector shift = all(12582912.f);
  for (size_t i = 0; i < count; i += WIDTH) {
    const vector v = whole ? load(values + i) : load_part(values + i, count - i);
    vector code = (v - rule.bias) / divisor + shift - shift + (float)zero;
    code = larger(all(0), smaller(all(most), code));
    typedef uint8_t bytes __attribute__((ext_vector_type(WIDTH)));
    const bytes narrow = __builtin_convertvector(__builtin_convertvector(code, integers), bytes);
    __builtin_memcpy(to + i, &narrow, sizeof narrow);
  }
}

/// Packs the codes of a group into its part of a row, of which `room` bytes are left.
INLINE void pack_group(int bits, const uint8_t *codes, size_t count, uint8_t *to, size_t room) {
  for (size_t i = 0; i < count; i += 8) {
    const uint64_t word = packed_codes(bits, codes + i);
    const size_t place = i * bits / 8;
    if (room - place >= sizeof word) {
      // What it has beyond its codes is zero, and written again with the next ones.
      __builtin_memcpy(to + place, &word, sizeof word);
    } else {
      for (size_t b = 0; b < least((size_t)bits, room - place); ++b) to[place + b] = (uint8_t)(word >> 8 * b);
    }
  }
}

INLINE void round_row(int bits, const ckernels_packing *work, size_t row) {
  const size_t inputs = work->inputs, group = (size_t)1 << work->group_shift;
  uint8_t *codes = work->codes + row * work->row_bytes;
  __builtin_memset(codes, 0, work->row_bytes);
  for (size_t first = 0, g = row * work->row_groups; first < inputs; first += group, ++g) {
    float values[ROUND_GROUP];
    uint8_t found[ROUND_GROUP + 16];
    const size_t count = least(group, inputs - first), start = row * inputs + first;
    if (count == group) {
      for (size_t i = 0; i < group; i += WIDTH)
        store(values + i, numbers(work->narrow, work->weight, start + i, WIDTH));
      round_group(bits, true, work, values, group, g, found);
    } else {
      for (size_t i = 0; i < count; i += WIDTH)
        store_part(values + i, count - i, numbers(work->narrow, work->weight, start + i, count - i));
      round_group(bits, false, work, values, count, g, found);
      for (size_t i = count; i % 8; ++i) found[i] = 0;
    }
    const size_t byte = first * bits / 8;
    pack_group(bits, found, count, codes + byte, work->row_bytes - byte);
  }
}

static void quantized_round(const ckernels_packing *work, size_t first, size_t last) {
  for (size_t row = first; row < last; ++row) switch (work->bits) {
      case 2: round_row(2, work, row); break;
      case 3: round_row(3, work, row); break;
      case 4: round_row(4, work, row); break;
      case 5: round_row(5, work, row); break;
      case 6: round_row(6, work, row); break;
      default: round_row(8, work, row); break;
    }
}

#endif
