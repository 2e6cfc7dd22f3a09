// Cases that every version of the CPU kernels must pass: each function over many shapes, compared
// with a slow plain reference in f64.
#ifndef KERNEL_CASES_H
#define KERNEL_CASES_H

#include <CKernels.h>
#include <stdbool.h>
#include <stddef.h>

size_t kernel_cases_count(void);
/// What a case computes, for example "linear: bf16, bias"; its shapes depend on the table.
const char *_Nonnull kernel_cases_name(size_t index);
/// Runs a case; false if it fails, and then `message` says at which shape, what was found and what
/// was expected. Cases may run concurrently.
bool kernel_cases_run(size_t index, const ckernels_table *_Nonnull table, char *_Nonnull message, size_t capacity);

#endif
