// The list of all cases.

#include "KernelCases.h"

#include "Run.h"
#include "Trial.h"

static const kernel_case *const families[] = {
    linear_cases,    experts_cases,            experts_backward_cases, combine_cases,
    attention_cases, attention_backward_cases, row_cases,              recurrence_cases,
    modulation_cases, element_cases, quantized_cases,
};

/// The case with an index; the count of all cases goes to `count` if there is none.
static const kernel_case *find(size_t index, size_t *count) {
  size_t seen = 0;
  for (size_t i = 0; i < sizeof families / sizeof *families; ++i)
    for (const kernel_case *c = families[i]; c->name; ++c, ++seen)
      if (seen == index) return c;
  *count = seen;
  return NULL;
}

size_t kernel_cases_count(void) {
  size_t count = 0;
  find(SIZE_MAX, &count);
  return count;
}

const char *kernel_cases_name(size_t index) {
  size_t count;
  const kernel_case *c = find(index, &count);
  return c ? c->name : "no such case";
}

bool kernel_cases_run(size_t index, const ckernels_table *table, char *message, size_t capacity) {
  size_t count;
  const kernel_case *c = find(index, &count);
  return c && run_case(c, index, table, message, capacity);
}
