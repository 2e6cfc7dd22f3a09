// Waiting: a short spin, then sleep.
#ifndef CTHREADS_WAITING_H
#define CTHREADS_WAITING_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define MICROSECONDS INT64_C(1000)
#define MILLISECONDS INT64_C(1000000)

/// Monotonic time in nanoseconds.
static inline int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000 * MILLISECONDS + time.tv_nsec;
}

/// What threads sleep on: a count of rings.
typedef struct {
  _Atomic uint32_t rings;
  /// Threads that sleep or are about to.
  _Atomic uint32_t sleepers;
#if !defined(__linux__)
  pthread_mutex_t mutex;
  pthread_cond_t condition;
#endif
} Bell;

void bell_init(Bell *bell);
void bell_destroy(Bell *bell);
/// Wakes up to `count` sleepers; whoever read `rings` before does not fall asleep.
void bell_ring(Bell *bell, int count);
/// Sleeps until the bell rings, if it has not since `rings` was `seen`, for `timeout` nanoseconds or, if that is
/// negative, without limit; may also wake without reason.
void bell_sleep(Bell *bell, uint32_t seen, int64_t timeout);

/// A spin in progress.
typedef struct {
  int64_t start, last;
} Spin;

static inline Spin spin_begin(int64_t time) { return (Spin){time, time}; }

/// Lets a moment pass; false once this thread should sleep instead.
bool spin_continue(Spin *spin);

// Scarcity of processors, of the whole process --------------------------------------------------------------------

/// Whether callers should work alone at this time.
bool is_scarce(int64_t time);
/// The end of the time in which they should.
int64_t scarcity_end(void);
/// Reports that `lost` nanoseconds passed in which a thread was needed, or spun, and had no processor.
void report_loss(int64_t lost);

/// How often the system has taken the processor from the calling thread; always another number if that is not known.
long preemption_count(void);

#endif
