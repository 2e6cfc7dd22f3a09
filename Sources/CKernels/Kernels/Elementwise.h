// Functions of single elements.

#include "Activation.h"
#include "CKernels.h"

static void activate(const ckernels_elements *work, size_t first, size_t last) {
  for (size_t i = first; i < last; i += WIDTH) {
    const size_t count = last - i;
    vector y = activated(work->activation, numbers(work->narrow, work->x, i, count));
    if (work->factor) y = y * numbers(work->narrow, work->factor, i, count);
    store_numbers(work->narrow, work->result, i, count, y);
  }
}
