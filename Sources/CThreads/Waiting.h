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

/// A thread that makes no progress for so long, though it has work, had lost its processor to another program:
/// interrupts and most threads of the kernel take less.
static const int64_t preemption_gap = 300 * MICROSECONDS;

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
  /// Whether somebody waits for this thread. Otherwise it has nothing to do, and to lose the processor is no loss.
  bool is_needed;
} Spin;

static inline Spin spin_begin(int64_t time, bool is_needed) { return (Spin){time, time, is_needed}; }

/// Lets a moment pass; false once this thread should sleep instead.
bool spin_continue(Spin *spin);

// Scarcity of processors, of the whole process --------------------------------------------------------------------

/// Whether callers should work alone at this time.
bool is_scarce(int64_t time);
/// Reports that `lost` nanoseconds passed in which a thread was needed, or spun, and had no processor.
void report_loss(int64_t lost);

/// A moment of the calling thread, to tell later how long it had no processor since.
typedef struct {
  int64_t time, processor_time;
} Presence;

/// Starts anew, which is a call of the system.
void presence_start(Presence *presence);
/// Starts anew if the last start is so long ago that it matters.
static inline void presence_renew(Presence *presence, int64_t time) {
  if (time - presence->time > preemption_gap) presence_start(presence);
}
/// For how long the thread was not running since the start.
int64_t presence_gap(const Presence *presence);

#endif
