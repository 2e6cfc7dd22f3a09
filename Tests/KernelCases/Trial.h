// What all cases share: guarded memory, seeded numbers, comparisons.
//
// Every buffer ends where memory ends, so that a kernel that reads or writes past the end stops at
// once; what is in front of it and what nobody has written yet is a NaN that no kernel produces.
// A case ends at its first difference, through a jump, so cases need no checks of their own.
#ifndef KERNEL_CASES_TRIAL_H
#define KERNEL_CASES_TRIAL_H

#include <CKernels.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/// The error of a sum in f32, relative to the sum of its terms' magnitudes, for up to 200 terms.
#define F32_ERROR 1e-5
/// Twice the error of one number rounded to bf16, relative.
#define BF16_ERROR (1.0 / 256)

/// One case that runs, on one table.
typedef struct trial trial;

/// The cases of one kernel.
typedef struct {
  const char *name;
  /// Runs the case; `options` distinguishes cases with the same function.
  void (*run)(trial *t, unsigned options);
  unsigned options;
} kernel_case;

/// Options that several kernels have.
enum { NARROW = 1, GATE = 2, BIAS = 4, ACTIVATION_SHIFT = 4 };

/// The table whose functions are to be called.
const ckernels_table *trial_table(const trial *t);

/// Starts another shape, described for the message; checks and frees the memory of the last one.
void trial_begin(trial *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/// Ends the case as failed.
_Noreturn void trial_fail(trial *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/// A number from 0 to `limit` - 1.
size_t trial_below(trial *t, size_t limit);
/// A number between -1 and 1.
double trial_random(trial *t);
/// The numbers 0 to `count` - 1 in random order.
size_t *trial_order(trial *t, size_t count);

/// `count` random inputs between -1 and 1, f32, or bf16 if `narrow`. They may be changed until
/// `trial_seal`.
void *trial_numbers(trial *t, bool narrow, size_t count);
/// A copy of `bytes` bytes, as an input.
void *trial_copy(trial *t, const void *from, size_t bytes);
/// Memory for results.
void *trial_results(trial *t, bool narrow, size_t count);
/// Scratch memory, aligned to 64 bytes.
void *trial_scratch(trial *t, size_t bytes);
/// Zeros, for references.
double *trial_doubles(trial *t, size_t count);
/// Makes all inputs read-only.
void trial_seal(trial *t);

/// An element of f32 or bf16 numbers.
static inline double trial_number(bool narrow, const void *from, size_t at) {
  float value;
  if (!narrow) return ((const float *)from)[at];
  const uint32_t bits = (uint32_t)((const uint16_t *)from)[at] << 16;
  memcpy(&value, &bits, sizeof value);
  return value;
}

void trial_set(bool narrow, void *to, size_t at, double value);

/// Expects one result within `error`; of a bf16 result, that it is rounded from such a number.
void trial_expect(trial *t, const char *what, bool narrow, const void *found, size_t at, double value, double error);
/// Expects that results `first` to `last - 1` have not been written.
void trial_expect_unwritten(trial *t, const char *what, bool narrow, const void *found, size_t first, size_t last);

static inline size_t trial_least(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t trial_rounded_up(size_t count, size_t step) { return (count + step - 1) / step * step; }

// The lists of cases; each ends with a case without a name.
extern const kernel_case linear_cases[], experts_cases[], experts_backward_cases[], combine_cases[], attention_cases[], attention_backward_cases[], row_cases[],
    recurrence_cases[], modulation_cases[], element_cases[], quantized_cases[];

#endif
