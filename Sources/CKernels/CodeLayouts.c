// Moves codes from the layouts of other formats into rows that are streams of codes.

#include "CKernels.h"

#include <string.h>

/// Bits `at` and following of a little-endian stream of words that are `step` apart.
static uint32_t stream_code(const uint32_t *words, size_t step, size_t at, int bits) {
  const size_t word = at / 32, shift = at % 32;
  uint64_t value = words[word * step];
  if (shift + (size_t)bits > 32) value |= (uint64_t)words[(word + 1) * step] << 32;
  return (uint32_t)(value >> shift) & ((1u << bits) - 1);
}

/// Codes whose low and high bits are in words of their own: for every 32 codes, first the words of the low bits.
static uint32_t planar_code(const uint32_t *words, size_t step, size_t index, int bits) {
  static const int planes[9][3] = {[2] = {2}, [3] = {2, 1}, [4] = {4}, [5] = {4, 1}, [6] = {4, 2}, [7] = {4, 2, 1}, [8] = {8}};
  const size_t first = index / 32 * (size_t)bits, place = index % 32;
  uint32_t code = 0;
  for (int p = 0, offset = 0; p < 3 && planes[bits][p]; offset += planes[bits][p++]) {
    const size_t width = (size_t)planes[bits][p], bit = place * width;
    code |= (words[(first + (size_t)offset + bit / 32) * step] >> bit % 32 & ((1u << width) - 1)) << offset;
  }
  return code;
}

static uint32_t code_at(const ckernels_layout_work *work, size_t output, size_t input) {
  static const int awq_order[8] = {0, 4, 1, 5, 2, 6, 3, 7};
  const size_t step = work->outputs;
  const int bits = work->bits;
  switch (work->layout) {
    case CKERNELS_LAYOUT_COLUMNS: return stream_code(work->words + output, step, input * (size_t)bits, bits);
    case CKERNELS_LAYOUT_PLANAR_COLUMNS: return planar_code(work->words + output, step, input, bits);
    case CKERNELS_LAYOUT_AWQ:
      return work->words[input * (work->outputs / 8) + output / 8] >> 4 * awq_order[output % 8] & 15;
    default: {
      const size_t each = 32 / (size_t)bits, row = (work->inputs + each - 1) / each;
      return work->words[output * row + input / each] >> input % each * (size_t)bits & ((1u << bits) - 1);
    }
  }
}

static void append_code(uint8_t *row, size_t index, int bits, uint32_t code) {
  const size_t bit = index * (size_t)bits;
  const uint32_t shifted = code << bit % 8;
  row[bit / 8] |= (uint8_t)shifted;
  if (bit % 8 + (size_t)bits > 8) row[bit / 8 + 1] |= (uint8_t)(shifted >> 8);
}

void ckernels_move_codes(const ckernels_layout_work *work, size_t first, size_t last) {
  // Some outputs at a time, so that words of neighbouring columns are read while they are in the cache.
  enum { TOGETHER = 16 };
  for (size_t output = first; output < last; ++output)
    memset(work->result + output * work->row_bytes, 0, work->row_bytes);
  for (size_t from = first; from < last; from += TOGETHER) {
    const size_t to = from + TOGETHER < last ? from + TOGETHER : last;
    for (size_t i = 0; i < work->inputs; ++i) {
      const size_t input = work->order ? (size_t)work->order[i] : i;
      for (size_t output = from; output < to; ++output)
        append_code(work->result + output * work->row_bytes, i, work->to_bits, code_at(work, output, input));
    }
  }
}
