// Products of a weight matrix and few rows, as dot products.

#include "CKernels.h"
#include "Dot.h"

static void linear_dots(const ckernels_linear *work, size_t first, size_t last) {
  const storage kind = storage_of(work->narrow);
  const size_t row_bytes = work->inputs * (work->narrow ? 2 : 4);
  float sums[DOT_ROWS][DOT_OUTPUTS];
  for (size_t n = first; n < last; n += DOT_OUTPUTS) {
    const size_t outputs = least(DOT_OUTPUTS, last - n);
    for (size_t start = 0; start < work->rows; start += DOT_ROWS) {
      const size_t rows = least(DOT_ROWS, work->rows - start);
      const void *x[DOT_ROWS];
      for (size_t i = 0; i < rows; ++i) x[i] = (const char *)work->x + (start + i) * row_bytes;
      dots(kind, outputs, work->weight, n, rows, x, work->inputs, sums);
      for (size_t i = 0; i < rows; ++i)
        for (size_t r = 0; r < outputs; r += WIDTH) {
          const size_t count = outputs - r;
          vector y = load(sums[i] + r);
          if (work->bias) y = y + numbers(work->narrow, work->bias, n + r, count);
          store_numbers(work->narrow, work->result, (start + i) * work->outputs + n + r, count, y);
        }
    }
  }
}
