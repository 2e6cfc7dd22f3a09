// Sleep and wake, by futex on Linux and by condition variables elsewhere; and how long to spin before.

#define _GNU_SOURCE
#include "Waiting.h"

#include <limits.h>

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

// Long enough for the serial work between two parallel steps of a model on a quiet machine, where waking a thread takes
// some 50 µs.
static const int64_t longest_spin = 500 * MICROSECONDS;
// While processors are scarce, others make better use of them.
static const int64_t shortest_spin = 5 * MICROSECONDS;
static inline void pause_processor(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("isb" ::: "memory");
#endif
}

bool spin_continue(Spin *spin) {
  for (int i = 0; i < 4; ++i) pause_processor();
  int64_t time = now();
  int64_t gap = time - spin->last;
  if (gap > preemption_gap) {
    spin->last = time;
    if (spin->is_needed) report_loss(gap);
    return false;
  }
  spin->last = time;
  return time - spin->start < (is_scarce(time) ? shortest_spin : longest_spin);
}

#if defined(__linux__)

void bell_init(Bell *bell) {
  atomic_init(&bell->rings, 0);
  atomic_init(&bell->sleepers, 0);
}

void bell_destroy(Bell *bell) { (void)bell; }

void bell_ring(Bell *bell, int count) {
  // Both this and the announcement of a sleeper are sequentially consistent: either the sleeper sees the new number, or
  // it is seen here.
  atomic_fetch_add(&bell->rings, 1);
  if (count > 0 && atomic_load(&bell->sleepers) > 0) syscall(SYS_futex, &bell->rings, FUTEX_WAKE_PRIVATE, count, NULL);
}

void bell_sleep(Bell *bell, uint32_t seen, int64_t timeout) {
  struct timespec limit = {timeout / (1000 * MILLISECONDS), timeout % (1000 * MILLISECONDS)};
  atomic_fetch_add(&bell->sleepers, 1);
  if (atomic_load(&bell->rings) == seen)
    syscall(SYS_futex, &bell->rings, FUTEX_WAIT_PRIVATE, seen, timeout < 0 ? NULL : &limit);
  atomic_fetch_sub(&bell->sleepers, 1);
}

#else

void bell_init(Bell *bell) {
  atomic_init(&bell->rings, 0);
  atomic_init(&bell->sleepers, 0);
  pthread_mutex_init(&bell->mutex, NULL);
  pthread_cond_init(&bell->condition, NULL);
}

void bell_destroy(Bell *bell) {
  pthread_cond_destroy(&bell->condition);
  pthread_mutex_destroy(&bell->mutex);
}

void bell_ring(Bell *bell, int count) {
  atomic_fetch_add(&bell->rings, 1);
  if (count <= 0 || atomic_load(&bell->sleepers) == 0) return;
  pthread_mutex_lock(&bell->mutex);
  if (count == 1) {
    pthread_cond_signal(&bell->condition);
  } else {
    pthread_cond_broadcast(&bell->condition);
  }
  pthread_mutex_unlock(&bell->mutex);
}

void bell_sleep(Bell *bell, uint32_t seen, int64_t timeout) {
  pthread_mutex_lock(&bell->mutex);
  atomic_fetch_add(&bell->sleepers, 1);
  if (atomic_load(&bell->rings) == seen) {
    if (timeout < 0) {
      pthread_cond_wait(&bell->condition, &bell->mutex);
    } else {
      struct timespec until;
      clock_gettime(CLOCK_REALTIME, &until);
      int64_t nanoseconds = until.tv_nsec + timeout;
      until.tv_sec += nanoseconds / (1000 * MILLISECONDS);
      until.tv_nsec = nanoseconds % (1000 * MILLISECONDS);
      pthread_cond_timedwait(&bell->condition, &bell->mutex, &until);
    }
  }
  atomic_fetch_sub(&bell->sleepers, 1);
  pthread_mutex_unlock(&bell->mutex);
}

#endif
