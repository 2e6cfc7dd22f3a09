// When to stop sharing work: after a loss of t, callers work alone for 4 t; for twice as long, up to 32 t, when more
// than an eighth of the time since they last shared again was lost; and for half as long when less was. So short bursts of
// other work cost little, and beside programs that keep computing, a small part of the time is lost; a machine that
// becomes quiet is noticed within a quarter of a second.

#define _GNU_SOURCE
#include "CThreads.h"
#include "Waiting.h"

#if defined(__linux__)
#include <sched.h>
#endif
#include <unistd.h>

/// Times a loss.
enum { first_factor = 4, last_factor = 32 };
/// Nanoseconds.
static const int64_t longest_scarcity = 250 * MILLISECONDS;

static _Atomic int64_t scarce_until;
static _Atomic int64_t factor = first_factor;

bool is_scarce(int64_t time) { return time < atomic_load_explicit(&scarce_until, memory_order_relaxed); }

void report_loss(int64_t lost) {
  // Two threads that report at once may overwrite each other, which changes a duration and nothing else.
  int64_t time = now(), end = atomic_load(&scarce_until), times = atomic_load(&factor);
  if (time < end) {
    // A part of the same loss.
  } else if (8 * lost > time - end) {
    times = times * 2 > last_factor ? last_factor : times * 2;
  } else {
    times = times / 2 < first_factor ? first_factor : times / 2;
  }
  atomic_store(&factor, times);
  int64_t duration = lost * times < longest_scarcity ? lost * times : longest_scarcity;
  if (time + duration > end) atomic_store(&scarce_until, time + duration);
}

void cthreads_set_scarce(int64_t nanoseconds) {
  atomic_store(&factor, first_factor);
  atomic_store(&scarce_until, nanoseconds == 0 ? 0 : now() + nanoseconds);
}

static int64_t processor_time(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (int64_t)time.tv_sec * 1000 * MILLISECONDS + time.tv_nsec;
}

void presence_start(Presence *presence) { *presence = (Presence){now(), processor_time()}; }

int64_t presence_gap(const Presence *presence) {
  return (now() - presence->time) - (processor_time() - presence->processor_time);
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
