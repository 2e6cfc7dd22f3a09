// Checks of the scales of packed weights.

#include "CKernels.h"

bool ckernels_scales_are_finite(ckernels_scale type, const void *scales, size_t count) {
  uint32_t bad = 0;
  if (type == CKERNELS_SCALE_F32) {
    const uint32_t *bits = scales;
    for (size_t i = 0; i < count; ++i) bad |= (bits[i] & 0x7F800000u) == 0x7F800000u;
  } else if (type == CKERNELS_SCALE_E8M0) {
    const uint8_t *bits = scales;
    for (size_t i = 0; i < count; ++i) bad |= bits[i] == 255;
  } else {
    const uint16_t *bits = scales, exponent = type == CKERNELS_SCALE_F16 ? 0x7C00 : 0x7F80;
    for (size_t i = 0; i < count; ++i) bad |= (bits[i] & exponent) == exponent;
  }
  return !bad;
}
