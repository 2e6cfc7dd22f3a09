// Runs one case: its memory, its numbers, and where it ends.

#include "Trial.h"

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "Run.h"

/// Bytes of f32 and bf16 numbers that are NaN, and that no kernel produces.
enum { UNWRITTEN = 0xFF };

/// Memory that ends where accessible memory ends.
typedef struct region {
  struct region *next;
  char *base, *start;
  /// Bytes that may be used at `base`, and those in use at `start`.
  size_t length, bytes;
  bool is_input;
} region;

/// Memory of references.
typedef struct list {
  struct list *next;
  double values[];
} list;

struct trial {
  const ckernels_table *table;
  uint64_t state;
  region *regions;
  list *lists;
  char *message;
  size_t capacity;
  char shape[200];
  sigjmp_buf end;
};

/// The case that runs in this thread.
static _Thread_local trial *current;

// Failures ----------------------------------------------------------------------------------------

const ckernels_table *trial_table(const trial *t) { return t->table; }

_Noreturn void trial_fail(trial *t, const char *format, ...) {
  int used = snprintf(t->message, t->capacity, "%s: ", t->shape);
  if (used >= 0 && (size_t)used < t->capacity) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(t->message + used, t->capacity - (size_t)used, format, arguments);
    va_end(arguments);
  }
  siglongjmp(t->end, 1);
}

static struct sigaction segmentation, bus;

static void fault(int number) {
  if (current) trial_fail(current, "touches memory outside its buffers, or writes to an input");
  // Not from a kernel: with the former handler back, the same instruction faults again.
  sigaction(number, number == SIGSEGV ? &segmentation : &bus, NULL);
}

static void catch_faults(void) {
  struct sigaction action = {.sa_handler = fault};
  sigemptyset(&action.sa_mask);
  sigaction(SIGSEGV, &action, &segmentation);
  sigaction(SIGBUS, &action, &bus);
}

// Memory ------------------------------------------------------------------------------------------

/// Memory for `bytes` bytes that start at a multiple of `alignment`.
static region *guarded(trial *t, size_t bytes, size_t alignment) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), used = trial_rounded_up(bytes, alignment);
  region *r = malloc(sizeof *r);
  // A page more, so that there is always something in front.
  r->length = trial_rounded_up(used, page) + page;
  r->base = mmap(NULL, r->length + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  if (r->base == MAP_FAILED || mprotect(r->base + r->length, page, PROT_NONE) != 0) abort();
  memset(r->base, UNWRITTEN, r->length);
  r->start = r->base + r->length - used;
  r->bytes = bytes;
  r->is_input = false;
  r->next = t->regions;
  t->regions = r;
  return r;
}

static bool is_unwritten(const char *from, const char *to) {
  for (; from < to; ++from)
    if ((unsigned char)*from != UNWRITTEN) return false;
  return true;
}

static void free_memory(trial *t) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  for (region *r = t->regions, *next; r; r = next) {
    next = r->next;
    munmap(r->base, r->length + page);
    free(r);
  }
  for (list *l = t->lists, *next; l; l = next) {
    next = l->next;
    free(l);
  }
  t->regions = NULL;
  t->lists = NULL;
}

static void check_memory(trial *t) {
  for (const region *r = t->regions; r; r = r->next)
    if (!is_unwritten(r->base, r->start) || !is_unwritten(r->start + r->bytes, r->base + r->length))
      trial_fail(t, "writes outside a buffer of %zu bytes", r->bytes);
}

void trial_begin(trial *t, const char *format, ...) {
  check_memory(t);
  free_memory(t);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(t->shape, sizeof t->shape, format, arguments);
  va_end(arguments);
}

void *trial_results(trial *t, bool narrow, size_t count) {
  const size_t size = narrow ? sizeof(uint16_t) : sizeof(float);
  return guarded(t, count * size, size)->start;
}

void *trial_scratch(trial *t, size_t bytes) { return guarded(t, bytes, 64)->start; }

void *trial_numbers(trial *t, bool narrow, size_t count) {
  const size_t size = narrow ? sizeof(uint16_t) : sizeof(float);
  region *r = guarded(t, count * size, size);
  r->is_input = true;
  for (size_t i = 0; i < count; ++i) trial_set(narrow, r->start, i, trial_random(t));
  return r->start;
}

void *trial_copy(trial *t, const void *from, size_t bytes) {
  region *r = guarded(t, bytes, sizeof(int32_t));
  r->is_input = true;
  memcpy(r->start, from, bytes);
  return r->start;
}

double *trial_doubles(trial *t, size_t count) {
  list *l = calloc(1, sizeof *l + count * sizeof(double));
  l->next = t->lists;
  t->lists = l;
  return l->values;
}

void trial_seal(trial *t) {
  for (const region *r = t->regions; r; r = r->next)
    if (r->is_input) mprotect(r->base, r->length, PROT_READ);
}

// Numbers -----------------------------------------------------------------------------------------

/// SplitMix64, https://prng.di.unimi.it/splitmix64.c.
static uint64_t next_bits(trial *t) {
  uint64_t z = t->state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

size_t trial_below(trial *t, size_t limit) { return (size_t)(next_bits(t) >> 33) % limit; }

double trial_random(trial *t) { return (double)(next_bits(t) >> 40) / (1 << 23) - 1; }

size_t *trial_order(trial *t, size_t count) {
  _Static_assert(sizeof(size_t) <= sizeof(double), "indices use the memory of references");
  size_t *order = (size_t *)(void *)trial_doubles(t, count);
  for (size_t i = 0; i < count; ++i) {
    const size_t j = trial_below(t, i + 1);
    order[i] = order[j];
    order[j] = i;
  }
  return order;
}

/// Rounded to bf16, to nearest, ties to even.
static uint16_t bf16_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if (isnan(value)) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

void trial_set(bool narrow, void *to, size_t at, double value) {
  if (narrow)
    ((uint16_t *)to)[at] = bf16_bits((float)value);
  else
    ((float *)to)[at] = (float)value;
}

// Comparisons -------------------------------------------------------------------------------------

static double rounded(bool narrow, double value) {
  const uint16_t bits = bf16_bits((float)value);
  return narrow ? trial_number(true, &bits, 0) : value;
}

void trial_expect(trial *t, const char *what, bool narrow, const void *found, size_t at, double value, double error) {
  const size_t size = narrow ? sizeof(uint16_t) : sizeof(float);
  const char *bytes = (const char *)found + at * size;
  if (is_unwritten(bytes, bytes + size)) trial_fail(t, "%s[%zu] was not written", what, at);
  const double number = trial_number(narrow, found, at);
  if (isnan(value) ? isnan(number) : isinf(value) ? number == value : false) return;
  if (isfinite(value)) {
    // Kernels may treat numbers below the normal range as zeros.
    const double low = rounded(narrow, value - error - FLT_MIN), high = rounded(narrow, value + error + FLT_MIN);
    if (number >= low && number <= high) return;
  }
  trial_fail(t, "%s[%zu] is %.9g, expected %.9g ± %.2g%s", what, at, number, value, error,
             narrow ? " before it is rounded to bf16" : "");
}

void trial_expect_unwritten(trial *t, const char *what, bool narrow, const void *found, size_t first, size_t last) {
  const size_t size = narrow ? sizeof(uint16_t) : sizeof(float);
  for (size_t i = first; i < last; ++i) {
    const char *bytes = (const char *)found + i * size;
    if (!is_unwritten(bytes, bytes + size)) trial_fail(t, "%s[%zu] was written, but belongs to another part", what, i);
  }
}

// Running -----------------------------------------------------------------------------------------

/// Runs a case until its end or its first failure.
static bool passes(trial *t, const kernel_case *c) {
  if (sigsetjmp(t->end, 1)) return false;
  current = t;
  c->run(t, c->options);
  check_memory(t);
  return true;
}

bool run_case(const kernel_case *c, uint64_t seed, const ckernels_table *table, char *message, size_t capacity) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, catch_faults);
  trial t = {.table = table, .state = seed, .message = message, .capacity = capacity, .shape = "no shape yet"};
  const bool passed = passes(&t, c);
  current = NULL;
  free_memory(&t);
  return passed;
}
