// Checks of the scales of packed weights.

#include "CKernels.h"

bool ckernels_scales_are_finite(ckernels_scale type, const void *scales, size_t count) {
  // As wide as the numbers, so that a register holds as many of both.
  if (type == CKERNELS_SCALE_F32) {
    const uint32_t *bits = scales;
    uint32_t bad = 0;
    for (size_t i = 0; i < count; ++i) bad |= (bits[i] & 0x7F800000u) == 0x7F800000u;
    return !bad;
  } else if (type == CKERNELS_SCALE_E8M0) {
    const uint8_t *bits = scales;
    uint8_t bad = 0;
    for (size_t i = 0; i < count; ++i) bad |= bits[i] == 255;
    return !bad;
  } else {
    const uint16_t *bits = scales, exponent = type == CKERNELS_SCALE_F16 ? 0x7C00 : 0x7F80;
    uint16_t bad = 0;
    for (size_t i = 0; i < count; ++i) bad |= (bits[i] & exponent) == exponent;
    return !bad;
  }
}
