// Runs one case.
#ifndef KERNEL_CASES_RUN_H
#define KERNEL_CASES_RUN_H

#include "Trial.h"

/// See `kernel_cases_run`.
bool run_case(const kernel_case *c, uint64_t seed, const ckernels_table *table, char *message, size_t capacity);

#endif
