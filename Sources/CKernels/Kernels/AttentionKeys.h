// Which keys attention looks at together.
#ifndef CKERNELS_ATTENTION_KEYS_H
#define CKERNELS_ATTENTION_KEYS_H

#include "Activation.h"
#include "CKernels.h"

enum {
  /// Keys per block; even, because bf16 values are processed in pairs.
  KEYS = 64,
};

/// The first key that any query from `position` on sees.
INLINE size_t first_key(const ckernels_attention *work, size_t position) {
  return work->window && position + 1 > work->window ? position + 1 - work->window : 0;
}

#endif
