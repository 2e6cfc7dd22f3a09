// When to stop sharing work: after a loss of t, callers work alone for 8 t, and for twice as long each time when they
// lose again soon after. What is lost is then at most a ninth of what one thread achieves, and far less in the long run;
// a machine that becomes quiet is noticed within a quarter of a second.

#define _GNU_SOURCE
#include "CThreads.h"
#include "Waiting.h"

#include <sys/resource.h>

#if defined(__linux__)
#include <sched.h>
#endif
#include <unistd.h>

static const int64_t first_factor = 8, last_factor = 64;
static const int64_t longest_scarcity = 250 * MILLISECONDS;
// A loss this soon after callers shared again means that nothing has changed.
static const int64_t trial = 50 * MILLISECONDS;

static _Atomic int64_t scarce_until;
static _Atomic int64_t factor;

bool is_scarce(int64_t time) { return time < atomic_load_explicit(&scarce_until, memory_order_relaxed); }

int64_t scarcity_end(void) { return atomic_load_explicit(&scarce_until, memory_order_relaxed); }

void report_loss(int64_t lost) {
  // Two threads that report at once may overwrite each other, which changes a duration and nothing else.
  int64_t time = now(), end = atomic_load(&scarce_until), times = atomic_load(&factor);
  if (time < end) {
    // A part of the same loss.
  } else if (end != 0 && time < end + trial) {
    times = times * 2 > last_factor ? last_factor : times * 2;
  } else {
    times = first_factor;
  }
  atomic_store(&factor, times);
  int64_t duration = lost * times < longest_scarcity ? lost * times : longest_scarcity;
  if (time + duration > end) atomic_store(&scarce_until, time + duration);
}

void cthreads_set_scarce(int64_t nanoseconds) {
  atomic_store(&factor, first_factor);
  atomic_store(&scarce_until, nanoseconds == 0 ? 0 : now() + nanoseconds);
}

long preemption_count(void) {
#if defined(__linux__)
  struct rusage usage;
  if (getrusage(RUSAGE_THREAD, &usage) == 0) return usage.ru_nivcsw;
#endif
  static _Atomic long different;
  return atomic_fetch_add(&different, 1);
}

int cthreads_processor_count(void) {
  static _Atomic int known;
  int count = atomic_load_explicit(&known, memory_order_relaxed);
  if (count > 0) return count;
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) count = CPU_COUNT(&set);
#endif
  if (count < 1) count = (int)sysconf(_SC_NPROCESSORS_ONLN);
  if (count < 1) count = 1;
  atomic_store_explicit(&known, count, memory_order_relaxed);
  return count;
}
