// Functions of single elements.

#include <math.h>
#include <string.h>

#include "Activations.h"
#include "Trial.h"

static void compare(trial *t, unsigned options, size_t count, bool multiplies) {
  const bool narrow = options & NARROW;
  const ckernels_activation activation = (ckernels_activation)(options >> ACTIVATION_SHIFT);
  trial_begin(t, "%zu elements%s", count, multiplies ? ", times a factor" : "");
  void *x = trial_numbers(t, narrow, count);
  for (size_t i = 0; i < count; i += 3) trial_set(narrow, x, i, 12 * trial_random(t));
  if (count > 40) {
    const double special[] = {INFINITY, -INFINITY, NAN, 0, 1e30, -1e30, 90, -90};
    for (size_t i = 0; i < 8; ++i) trial_set(narrow, x, 3 + 4 * i, special[i]);
  }
  ckernels_elements work = {.narrow = narrow, .activation = activation, .x = x};
  if (multiplies) work.factor = trial_numbers(t, narrow, count);
  trial_seal(t);
  work.result = trial_results(t, narrow, count);
  const size_t middle = count / 3, bytes = narrow ? 2 : 4;
  trial_table(t)->activate(&work, middle, count);
  trial_expect_unwritten(t, "result", narrow, work.result, 0, middle);
  trial_table(t)->activate(&work, 0, middle);
  for (size_t i = 0; i < count; ++i) {
    const double factor = multiplies ? trial_number(narrow, work.factor, i) : 1;
    const double value = factor * activation_value(activation, trial_number(narrow, x, i));
    trial_expect(t, "result", narrow, work.result, i, value, F32_ERROR * (fabs(value) + fabs(factor)));
    // Its neighbours do not matter.
    ckernels_elements alone = work;
    alone.x = (const char *)work.x + i * bytes;
    if (multiplies) alone.factor = (const char *)work.factor + i * bytes;
    uint32_t own = 0;
    alone.result = &own;
    trial_table(t)->activate(&alone, 0, 1);
    if (memcmp(&own, (const char *)work.result + i * bytes, bytes)) trial_fail(t, "element %zu differs alone", i);
  }
}

static void elements(trial *t, unsigned options) {
  const size_t counts[] = {1, 3, 8, 16, 17, 40, 101};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; ++i) compare(t, options, counts[i], i % 2);
}

#define BOTH(name, activation)                                           \
  {name ": f32", elements, (activation) << ACTIVATION_SHIFT}, {          \
    name ": bf16", elements, (activation) << ACTIVATION_SHIFT | NARROW   \
  }

const kernel_case element_cases[] = {
    BOTH("SiLU", CKERNELS_SILU), BOTH("ReLU", CKERNELS_RELU), BOTH("GELU by a tangent", CKERNELS_GELU_TANH),
    BOTH("GELU", CKERNELS_GELU), BOTH("tangent", CKERNELS_TANH), BOTH("logistic", CKERNELS_LOGISTIC), {0},
};
